"""Many copies of an arm at once: MuJoCo's threaded rollouts, and compiled kernels around them."""
