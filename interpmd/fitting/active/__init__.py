"""Choosing what to label next: fits that grow by their labels, and what a label would tell."""
