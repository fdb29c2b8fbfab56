"""Pair forces from site energies: antisymmetric, complete, but not central."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from interpmd.attribution.checks import TURNS
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.common import predicted
from interpmd.attribution.methods.registry import Request, method
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.gated import GatedPotential
from interpmd.errors import MethodError
from interpmd.structures.edges import environments, within


@method(
    "pair_force",
    computes="pair forces dU_i/dr_ij - dU_j/dr_ji of a many-body potential (Fan et al.)",
    guarantees=("complete", "linear"),
    cost="one evaluation with gradients",
    models="potential",
    gauges=("atoms",),
    error_bars=True,
)
def pair_force(request: Request, error_bars: bool = True) -> Explanation:
    """Fan et al., Phys. Rev. B 92, 094301 (2015): F_ij = dU_i/dr_ij - dU_j/dr_ji, from site
    energies U.

    Newton's third law holds, but the forces do not point along the pair, so that a pair exerts a
    torque on itself; and they depend on how the energy is split among sites. Pair forces are
    linear in the weights, so that samples of these give samples of them.

    Args:
        request: of a force, torque or power.
        error_bars: whether to carry the samples of the model's posterior along.

    Raises:
        MethodError: the target is the energy, or the players are fragments.
    """
    if request.fragments is not None:
        raise MethodError('pair forces act between atoms; sum them with .by("fragment", fragments)')
    functional = request.target.functional(request.atoms)
    if functional.energy.any():
        raise MethodError("pair forces explain forces and torques, not the energy")
    atoms, gated = request.atoms, GatedPotential(request.potential, request.atoms)
    potential = gated.potential
    slopes = np.zeros((1, 0, 3))
    if potential.local_terms:
        slopes = potential.edge_slopes(gated.batch, gated.pairs).slopes.numpy()[None]
        drawn = _slope_samples(gated) if error_bars else None
        if drawn is not None:
            slopes = np.concatenate([slopes, drawn])
    first, second = gated.edges.T
    weights = functional.forces[:, first] - functional.forces[:, second]
    pairs = _pair_forces(gated, slopes)
    flat = np.einsum("cex,sex->ecs", weights, pairs)
    members = [tuple(e) for e in gated.edges.tolist()]
    images = [[(0, 0, 0), s] for s in gated.shifts.tolist()]
    orders = [2] * len(members)
    if potential.global_terms:
        forces = potential.global_forces(gated.batch).forces
        rest = np.zeros((len(atoms), *flat.shape[1:]))  # formulas without error bars
        rest[..., 0] = np.einsum("cax,ax->ac", functional.forces, forces.numpy())
        flat = np.concatenate([flat, rest])
        members += [(i,) for i in range(len(atoms))]
        images += [[(0, 0, 0)]] * len(atoms)
        orders += [0] * len(atoms)
    samples = flat[..., 1:] if functional.vector else flat[:, 0, 1:]
    return Explanation(
        atoms=atoms,
        target=request.target,
        clusters=Clusters.of_tuples(members, "pair force", orders, images),
        values=functional.shaped(flat[..., 0]),
        samples=samples if samples.size else None,
        predicted=predicted(request),
        statement=(
            "Pair forces sum to the force (fact); they depend on how the energy is split among "
            "sites (convention) and are not central, so that a pair exerts a torque on itself."
        ),
        checks=_conservation(gated, pairs[0]),
        # what was certified of the potential is about its rows, which pair forces are not
        provenance=request.model.provenance | {"certificate": []},
    )


def _conservation(gated: GatedPotential, pairs: Float[np.ndarray, "edges 3"]) -> dict[str, float]:
    """Net force of all pairs (eV/Å), which is zero, and the torque of one on itself (eV), which is
    not."""
    (first, second), cell = gated.edges.T, gated.batch.cells[0].numpy()
    places = gated.batch.positions.detach().numpy()
    along = places[second] - places[first] + gated.shifts @ cell
    net = np.zeros_like(places)
    np.add.at(net, first, pairs)
    np.add.at(net, second, -pairs)
    torques = np.linalg.norm(np.cross(along, pairs), axis=1)
    return {
        "momentum": float(np.abs(net.sum(0)).max(initial=0.0)),
        TURNS: float(torques.max(initial=0.0)),
    }


def _pair_forces(
    gated: GatedPotential, slopes: Float[np.ndarray, "draws neighbours 3"]
) -> Float[np.ndarray, "draws edges 3"]:
    """F_ij of every edge, from the slopes of both its sites."""
    pairs = np.zeros((len(slopes), len(gated.edges), 3))
    if not slopes.size:
        return pairs
    centre, index = gated.pairs.centre.numpy(), gated.edge_of.numpy()
    shifts, neighbour = gated.pairs.shifts.numpy(), gated.pairs.neighbour.numpy()
    forward = (
        (centre == gated.edges[index, 0])
        & (neighbour == gated.edges[index, 1])
        & (shifts == gated.shifts[index]).all(1)
    )
    signed = np.where(forward, 1.0, -1.0)[:, None] * slopes
    np.add.at(pairs, (slice(None), index), signed)
    return pairs


def _slope_samples(gated: GatedPotential) -> Float[np.ndarray, "draws neighbours 3"] | None:
    """Deviations of the slopes of the site energies by edge vector, under joint samples."""
    potential, total = gated.potential, None
    whole = environments(gated.batch.with_positions(gated.batch.positions.detach()), gated.pairs)
    vectors = whole.vectors.detach().requires_grad_(True)
    with torch.enable_grad():
        for term in potential.learned_terms.values():
            if term.n_samples:
                near = within(replace(whole, vectors=vectors), term.cutoff, potential.cutoff)
                of_term = term.site_energy_samples(near).sum(0)
                total = of_term if total is None else total + of_term
        if total is None or not len(vectors):
            return None
        eye = torch.eye(len(total), dtype=total.dtype)
        (slopes,) = torch.autograd.grad(total, vectors, eye, is_grads_batched=True)
    return slopes.numpy()
