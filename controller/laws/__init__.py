"""Control laws in joint space and in operational space."""
