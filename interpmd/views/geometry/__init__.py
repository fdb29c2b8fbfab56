"""Changing a molecule along one coordinate at a time."""
