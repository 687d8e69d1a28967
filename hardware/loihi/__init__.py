"""The Loihi substrate: nengo-loihi's builder and its emulator of the chip."""
