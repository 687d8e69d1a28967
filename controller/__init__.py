"""Control laws, adaptive composition, path planning, the loop, the clock and the tick log."""
