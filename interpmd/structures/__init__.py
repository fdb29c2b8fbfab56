"""Structures: what they are made of, where they are stored, who is bonded to whom."""
