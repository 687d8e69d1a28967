"""Real arms, each behind the library of its vendor and installed as an extra."""
