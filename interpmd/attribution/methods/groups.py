"""Rows and dividends of the gauge "groups"."""

from __future__ import annotations

import numpy as np

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.grouped import GroupsGauge, contributions
from interpmd.attribution.gauges.groups import GroupRows
from interpmd.attribution.methods.indices import Values
from interpmd.attribution.methods.registry import Request
from interpmd.decomposition import Clusters

STATEMENT = (
    "The rows sum to the energy and the forces (fact); every part that was evaluated is a "
    "closed-shell molecule. That cut bonds end in hydrogen, half an H2 is paid for each, and a "
    "contact through space belongs to the chain that joins its groups, is a convention"
)


def rows_of_groups(request: Request, gauge: GroupsGauge, error_bars: bool) -> Explanation:
    """What each connected set of groups contributes beyond all its parts."""
    rows, flat = _evaluated(request, gauge, request.order, error_bars)
    game, functional = rows.game, request.target.functional(request.atoms)
    count = len(functional.energy)
    values, samples = flat[:, :count], flat[:, count:]
    members = [
        tuple(sorted(a for k in chosen for a in gauge.grouping.groups[k])) for chosen in game.sets
    ]
    kinds = ["remainder" if not order else _kind(int(order)) for order in game.orders]
    rest = "; remainders are larger sets, or what molecules do to each other." * bool(
        (game.orders == 0).any()
    )
    return Explanation(
        atoms=request.atoms,
        target=request.target,
        clusters=Clusters.named(members, game.labels, game.orders.tolist()),
        values=functional.shaped(values),
        predicted=np.asarray(
            functional.shaped(functional.of([rows.total_energy], rows.total_forces[None])[0])
        ),
        statement=STATEMENT + (rest or "."),
        samples=_samples(samples, count, functional.vector),
        gauge=gauge.name,
        fragments=gauge.players,
        kinds_of_terms=dict(zip(game.labels, kinds, strict=True)),
        provenance=request.model.provenance,
    )


def dividends_of_groups(
    request: Request, gauge: GroupsGauge, error_bars: bool
) -> tuple[Values, Values]:
    """Dividends of all connected sets of one molecule, which leave nothing.

    Raises:
        GaugeError: several molecules.
    """
    gauge.require_one_molecule()
    rows, flat = _evaluated(request, gauge, None, error_bars)
    return {tuple(chosen): row for chosen, row in zip(rows.game.sets, flat, strict=True)}, {}


def _evaluated(
    request: Request, gauge: GroupsGauge, order: int | None, error_bars: bool
) -> tuple[GroupRows, np.ndarray]:
    """Rows, and what each adds to the components of the target with its samples behind."""
    rows = gauge.rows_of(request.model, request.atoms, order, error_bars)
    values, samples = contributions(rows, request.target.functional(request.atoms))
    if samples is None:
        return rows, values
    return rows, np.concatenate([values, samples.reshape(len(values), -1)], axis=1)


def _samples(flat: np.ndarray, components: int, vector: bool) -> np.ndarray | None:
    if not flat.size:
        return None
    samples = flat.reshape(len(flat), components, -1)
    return samples if vector else samples[:, 0]


def _kind(order: int) -> str:
    return {1: "group", 2: "two groups", 3: "three groups"}.get(order, "larger groups")
