"""Gradients of all invariants at once, in closed form.

The fit needs d B_i,k,p / d r_ij for every feature: thousands of outputs for a few inputs, which
automatic differentiation would compute one by one. The chain rule, written out once, takes a few
matrix products: invariants by density (dB/dA), density by edge (dA/dr), and their contraction.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp
from torch.nn.functional import pad

from interpmd.potentials.expansion.angular import harmonics_of
from interpmd.potentials.expansion.expansion import ClusterExpansion, Features
from interpmd.structures.edges import Environments


def features_and_gradients(term: ClusterExpansion, env: Environments) -> Features:
    """Invariants of every site and their gradients with respect to the edge vectors.

    Args:
        term: the expansion.
        env: sites; edges sorted by site.

    Returns:
        Values of shape (sites, features) and gradients of shape (edges, 3, features) in 1/Å.
    """
    site, slot, width = _padding(env)
    projected, angular, slopes = _edge_projections(term, env)
    n_channels, components = max(term.channels), angular.shape[1]
    padded = slopes.new_zeros(env.n_sites, n_channels, components, width, 3)
    padded[site, :, :, slot] = slopes
    density = projected.new_zeros(env.n_sites, n_channels, components).index_add(0, site, projected)
    values, gradients = [], []
    for nu, channels in enumerate(term.channels, start=1):
        value, derivative = _invariants(term, density[:, :channels], nu)
        values.append(value.flatten(1))
        # (sites, channels, 3 width, invariants): the last axis stays contiguous in the result
        block = padded[:, :channels].flatten(3).mT @ derivative.mT
        block = block.transpose(1, 2).unflatten(1, (width, 3)).flatten(3)
        gradients.append(block[site, slot])
    return Features(torch.cat(values, 1), torch.cat(gradients, 2))


def _edge_projections(
    term: ClusterExpansion, env: Environments
) -> tuple[
    Float[Tensor, "edges channels components"],
    Float[Tensor, "edges components"],
    Float[Tensor, "edges channels components 3"],
]:
    """What each edge adds to A, its harmonics, and the derivative of what it adds in 1/Å."""
    distances = env.vectors.pow(2).sum(1).sqrt()
    unit = env.vectors / distances[:, None]
    radial = term.radial(distances)
    radial_slope = jvp(term.radial, (distances,), (torch.ones_like(distances),))[1]
    angular = harmonics_of(unit, term.monomials)
    angular_slope = torch.stack(
        [
            jvp(
                lambda u: harmonics_of(u, term.monomials),
                (unit,),
                (_tangent(unit, distances, axis),),
            )[1]
            for axis in range(3)
        ],
        dim=2,
    )
    species = term.species[env.neighbour_numbers]
    degree_of = torch.repeat_interleave(
        torch.arange(term.lmax + 1), torch.arange(term.lmax + 1) * 2 + 1
    ).to(unit.device)
    mixing = term.mixing.unflatten(1, (len(term.elements), term.functions))
    values = radial.new_zeros(len(distances), mixing.shape[-1], term.lmax + 1)
    slopes = torch.zeros_like(values)
    for s in range(len(term.elements)):
        edges = torch.nonzero(species == s)[:, 0]
        values[edges] = torch.einsum("en,lnk->ekl", radial[edges], mixing[:, s])
        slopes[edges] = torch.einsum("en,lnk->ekl", radial_slope[edges], mixing[:, s])
    values, slopes = values[..., degree_of], slopes[..., degree_of]
    along = (slopes * angular[:, None])[..., None] * unit[:, None, None]
    across = values[..., None] * angular_slope[:, None]
    return values * angular[:, None], angular, along + across


def _invariants(
    term: ClusterExpansion, density: Float[Tensor, "sites channels components"], nu: int
) -> tuple[
    Float[Tensor, "sites channels invariants"],
    Float[Tensor, "sites channels invariants components"],
]:
    """Invariants of degree nu of each channel, and their derivatives by its density."""
    components = density.shape[-1]
    eye = torch.eye(components, dtype=density.dtype, device=density.device)
    if nu == 1:
        return density[..., :1], eye[:1].expand(*density.shape[:2], -1, -1)
    degree = term.degrees[nu - 2]
    used = (degree.lmax + 1) ** 2
    density, eye = density[..., :used], eye[:used, :used]
    left, right, share = degree.left, degree.right, degree.share
    vector = degree.vector(density.permute(2, 0, 1)).permute(1, 2, 0)
    products = vector[..., left] * vector[..., right]
    if nu == 2:  # squares of A: the derivative is diagonal
        derivative = 2 * share * vector[..., None, left]
        return products @ share.T, pad(derivative, (0, components - used))
    slopes = (density @ degree.hessian().flatten(0, 1).T).unflatten(-1, (-1, used))
    jacobian = torch.cat([eye.expand(*density.shape[:2], -1, -1), slopes], dim=-2)
    derivative = vector[..., left, None] * jacobian[..., right, :]
    derivative.addcmul_(vector[..., right, None], jacobian[..., left, :])
    return products @ share.T, pad(share @ derivative, (0, components - used))


def _tangent(unit: Tensor, distances: Tensor, axis: int) -> Tensor:
    """Derivative of the unit vector as the edge vector moves along one axis."""
    tangent = -unit * unit[:, axis : axis + 1]
    tangent[:, axis] += 1
    return tangent / distances[:, None]


def _padding(env: Environments) -> tuple[Tensor, Tensor, int]:
    """Site and place within the site of every edge, and the largest number of edges."""
    counts = torch.bincount(env.centre, minlength=env.n_sites)
    first = torch.cumsum(counts, 0) - counts
    slot = torch.arange(len(env.centre), device=env.centre.device) - first[env.centre]
    return env.centre, slot, int(counts.max()) if len(counts) else 0
