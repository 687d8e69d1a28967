"""nengo-loihi's emulator, compiled."""
