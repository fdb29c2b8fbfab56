"""Gradients of gates, by captum.

Not among the methods: DeepLift, whose rules know only layers with activation functions (here
products of densities carry the interactions), layer-wise relevance propagation for the same
reason, and GradientShap, which is integrated gradients with noise on the baseline where the one
baseline of an interaction, its absence, is known.
"""

from __future__ import annotations

import numpy as np
import torch

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.common import (
    at_least_one,
    captum_attribution,
    predicted,
    without_rounding,
)
from interpmd.attribution.methods.registry import Request, method
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.gated import GatedPotential
from interpmd.errors import MethodError


@method(
    "integrated_gradients",
    computes="gradients by the gates, integrated from all absent to all present (captum); "
    "players: edges (default), or atoms and fragments",
    guarantees=("complete", "linear", "symmetric"),
    cost="`steps` evaluations with gradients",
    exact=False,
    models="potential",
    gauges=("molecules", "atoms"),
    needs="captum",
)
def integrated_gradients(request: Request, players: str = "edges", steps: int = 16) -> Explanation:
    """Sundararajan et al., ICML 2017 (arXiv:1703.01365), equation 1, on gates.

    Gauss-Legendre steps integrate the polynomials of the expansion exactly. On edges the shares
    of an atom's interactions are Shapley values where interactions are pairs; larger ones are
    divided by degree along the path, which is a convention. On atoms they are Shapley values
    where every atom enters an interaction once, as in the analytic potentials (Owen, Manag. Sci.
    18, 64 (1972): the Shapley value is the integral along the diagonal of the multilinear
    extension); in the neural expansion neighbours enter its products more than once.

    Raises:
        MethodError: terms of the whole structure have no edges; other players; no steps.
    """
    at_least_one(steps=steps)
    note = (
        "Integrated gradients share an interaction among the gates in it by the degree with which "
        "each enters along the straight path: the sum is fact, the shares are convention."
    )
    return _on_gates(request, "IntegratedGradients", players, note, True, n_steps=steps)


@method(
    "input_x_gradient",
    computes="gradient by the gates where all are present (captum): a contrast, known to mislead",
    guarantees=("linear",),
    cost="one evaluation with gradients",
    exact=False,
    models="potential",
    gauges=("molecules", "atoms"),
    needs="captum",
)
def input_x_gradient(request: Request, players: str = "edges") -> Explanation:
    """Shrikumar et al., arXiv:1605.01713: interactions of n gates count n times."""
    note = (
        "A local slope, not a share: what n gates do together is counted n times, so that the "
        "values do not sum to the target."
    )
    return _on_gates(request, "InputXGradient", players, note, False)


def _on_gates(
    request: Request, algorithm: str, players: str, note: str, complete: bool, **options
) -> Explanation:
    if players not in ("edges", "atoms"):
        raise MethodError(f'players are "edges" or "atoms", not {players!r}')
    gated = GatedPotential(request.model.potential, request.atoms)
    evaluations = 0

    def counted(**gates: torch.Tensor) -> torch.Tensor:
        nonlocal evaluations
        evaluations += sum(map(len, gates.values()))
        return gated.values(*weights, **gates)

    functional = request.target.functional(request.atoms)
    weights = torch.as_tensor(functional.energy), torch.as_tensor(functional.forces)
    if request.fragments is not None or players == "atoms":
        fragments = request.fragments or tuple((i,) for i in range(len(request.atoms)))
        number = torch.zeros(len(request.atoms), dtype=torch.int64)
        for index, members in enumerate(fragments):
            number[list(members)] = index
        values = captum_attribution(
            lambda gates: counted(atom_gates=gates[:, number]),
            algorithm,
            len(fragments),
            len(functional.energy),
            **options,
        )
        clusters = Clusters.of_tuples(fragments, "gate", [1] * len(fragments))
    else:
        try:
            values = captum_attribution(
                lambda gates: counted(edge_gates=gates),
                algorithm,
                len(gated.edges),
                len(functional.energy),
                **options,
            )
        except ValueError as error:
            raise MethodError(f'{error}; pass players="atoms"') from error
        alone = gated.sites(edge_gates=torch.zeros(1, len(gated.edges), dtype=torch.float64))
        alone = np.outer(alone[0].detach().numpy(), functional.energy)
        values = np.concatenate([alone, values])
        members = [(i,) for i in range(len(alone))] + [tuple(e) for e in gated.edges.tolist()]
        images = [[(0, 0, 0)]] * len(alone) + [[(0, 0, 0), s] for s in gated.shifts.tolist()]
        clusters = Clusters.of_tuples(members, "gate", shifts=images)
    whole = predicted(request)
    if complete:
        values = without_rounding(values, np.atleast_1d(whole))
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=clusters,
        values=functional.shaped(values),
        predicted=whole,
        statement=note,
        complete=complete,
        fragments=request.fragments,
        provenance=request.model.provenance,
        evaluations=evaluations,
    )
