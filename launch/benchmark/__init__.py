"""Published protocols with their statistics, as sets of independent runs."""
