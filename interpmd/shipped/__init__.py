"""Potentials that come with interpmd; `interpmd.load(name)` reads them."""
