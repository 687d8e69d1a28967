"""Gymnasium environments of torque-driven arms, single and vectorised."""
