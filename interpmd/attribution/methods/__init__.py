"""One file for each family of methods; importing this package registers all of them."""

from interpmd.attribution.methods import exact

__all__ = ["exact"]
