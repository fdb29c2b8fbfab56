"""Explanations of every frame of a trajectory, and the work that each interaction does."""
