"""One file for each family of methods; importing this package registers all of them."""

from interpmd.attribution.methods import exact, gradients, pair_force, perturbation, tensions

__all__ = ["exact", "gradients", "pair_force", "perturbation", "tensions"]
