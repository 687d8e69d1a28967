"""Wrappers: a controller inside the environment, costs in the reward, perturbations by schedule."""
