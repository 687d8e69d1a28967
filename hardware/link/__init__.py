"""Hardware in the loop: an arm, or a network's substrate, at the other end of a wire."""
