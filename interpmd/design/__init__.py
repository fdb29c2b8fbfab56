"""Exploring chemical space by interactions: which group to change, and why."""
