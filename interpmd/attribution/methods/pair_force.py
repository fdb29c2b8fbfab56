"""Pair forces from site energies: antisymmetric, complete, but not central."""

from __future__ import annotations

import numpy as np

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.common import predicted
from interpmd.attribution.methods.registry import Request, method
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.gated import GatedPotential
from interpmd.errors import MethodError


@method(
    "pair_force",
    computes="pair forces dU_i/dr_ij - dU_j/dr_ji of a many-body potential (Fan et al.)",
    guarantees=("complete", "linear"),
    cost="one evaluation with gradients",
    models="potential",
    gauges=("atoms",),
)
def pair_force(request: Request) -> Explanation:
    """Fan et al., Phys. Rev. B 92, 094301 (2015): F_ij = dU_i/dr_ij - dU_j/dr_ji, from site
    energies U.

    Newton's third law holds, but the forces do not point along the pair, so that a pair exerts a
    torque on itself; and they depend on how the energy is split among sites.

    Raises:
        MethodError: the target is the energy, or the players are fragments.
    """
    if request.fragments is not None:
        raise MethodError('pair forces act between atoms; sum them with .by("fragment", fragments)')
    functional = request.target.functional(request.atoms)
    if functional.energy.any():
        raise MethodError("pair forces explain forces and torques, not the energy")
    potential, atoms = request.potential, request.atoms
    gated = GatedPotential(potential, atoms)
    pairs = np.zeros((len(gated.edges), 3))
    if potential.local_terms:
        slopes = gated.potential.edge_slopes(gated.batch, gated.pairs).slopes.numpy()
        centre, index = gated.pairs.centre.numpy(), gated.edge_of.numpy()
        shifts, neighbour = gated.pairs.shifts.numpy(), gated.pairs.neighbour.numpy()
        forward = (
            (centre == gated.edges[index, 0])
            & (neighbour == gated.edges[index, 1])
            & (shifts == gated.shifts[index]).all(1)
        )
        np.add.at(pairs, index, np.where(forward, 1.0, -1.0)[:, None] * slopes)
    first, second = gated.edges.T
    weights = functional.forces[:, first] - functional.forces[:, second]
    values = np.einsum("cex,ex->ec", weights, pairs)
    members = [tuple(e) for e in gated.edges.tolist()]
    images = [[(0, 0, 0), s] for s in gated.shifts.tolist()]
    orders = [2] * len(members)
    if potential.global_terms:
        forces = gated.potential.global_forces(gated.batch).forces
        rest = np.einsum("cax,ax->ac", functional.forces, forces.numpy())
        values = np.concatenate([values, rest])
        members += [(i,) for i in range(len(atoms))]
        images += [[(0, 0, 0)]] * len(atoms)
        orders += [0] * len(atoms)
    return Explanation(
        atoms=atoms,
        target=request.target,
        clusters=Clusters.of_tuples(members, "pair force", orders, images),
        values=functional.shaped(values),
        predicted=predicted(request),
        statement=(
            "Pair forces sum to the force (fact); they depend on how the energy is split among "
            "sites (convention) and are not central, so that a pair exerts a torque on itself."
        ),
        provenance=request.model.provenance,
    )
