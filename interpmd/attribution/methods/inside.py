"""Forces within a molecule as tensions of its own coordinates, where molecules are the players."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.games import part_charges
from interpmd.attribution.gauges.internal import balance, carried, convention_rows, sample_rows
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.methods.registry import Request
from interpmd.attribution.targets import Functional
from interpmd.decomposition import Clusters
from interpmd.structures.charged_parts import part_of

#: Draws of the stiffnesses for the convention's bar.
DRAWS = 32


def open_molecules(
    request: Request, gauge: MoleculesGauge, explanation: Explanation, error_bars: bool
) -> Explanation:
    """The explanation with the row of every molecule that is asked about split further.

    What a molecule does to its own atoms, alone and as it stands, is a force without net force or
    torque, so that its internal coordinates carry it; see `tensions`.
    """
    functional = request.target.functional(request.atoms)
    opened = [
        m for m, members in enumerate(gauge.fragments)
        if len(members) > 1 and functional.forces[:, list(members)].any()
    ]  # fmt: skip
    own = {gauge.fragments[m]: m for m in opened}
    alone = np.array(
        [tuple(sorted(t)) in own and o == 1 for t, o in zip(
            explanation.members, explanation.orders, strict=True
        )]
    )  # fmt: skip
    if not alone.any():
        return explanation
    kept = explanation[~alone]
    names, kinds = list(kept.labels), list(kept.kinds)
    members, orders = list(kept.members), kept.orders.tolist()
    shifts = [key[3] for key in kept.clusters.identities()]
    values, conventions = [kept.values], [np.zeros_like(kept.values)]
    samples = None if kept.samples is None else [kept.samples]
    for molecule in opened:
        part = _Part(request, gauge, molecule, functional, error_bars and samples is not None)
        names += part.names
        kinds += part.kinds
        members += part.members
        shifts += part.shifts
        orders += [
            0 if kind == "remainder" else len(m)
            for m, kind in zip(part.members, part.kinds, strict=True)
        ]
        values.append(part.values)
        conventions.append(part.convention)
        if samples is not None and part.samples is not None:
            size = min(samples[0].shape[-1], part.samples.shape[-1])
            samples = [s[..., :size] for s in (*samples, part.samples)]
        else:
            samples = None
    return replace(
        explanation,
        clusters=Clusters.named(members, names, orders, shifts),
        values=np.concatenate(values),
        samples=None if samples is None else np.concatenate(samples),
        convention=np.concatenate(conventions),
        kinds_of_terms=dict(zip(names, kinds, strict=True)),
    )


class _Part:
    """One molecule alone: rows of its coordinates, felt by the target."""

    def __init__(
        self,
        request: Request,
        gauge: MoleculesGauge,
        molecule: int,
        functional: Functional,
        with_samples: bool,
    ) -> None:
        inside = list(gauge.fragments[molecule])
        part = part_of(request.atoms, inside, part_charges(request.model, request.atoms))
        coordinates, self.names = gauge.inside(molecule)
        self.kinds = list(coordinates.kinds)
        self.members = [tuple(inside[a] for a in atoms) for atoms in coordinates.atoms]
        self.shifts = list(coordinates.shifts)
        _, [forces] = request.model.evaluate([part])
        at = balance(coordinates, part.positions, cell=np.asarray(part.cell))
        rows, weights = carried(at, forces), functional.forces[:, inside]

        def felt(of: Float[np.ndarray, "*rows atoms 3"]) -> np.ndarray:
            return functional.shaped(np.einsum("...ax,cax->...c", of, weights))

        self.values = felt(rows.rows)
        moved = felt(convention_rows(at, forces, DRAWS)) - self.values
        self.convention = np.sqrt(np.mean(moved**2, axis=0))
        left = felt(rows.remainders.sum(0))
        if np.abs(left).max() > 1e-10:
            self.names.append(f"not carried by coordinates of molecule {molecule}")
            self.kinds.append("remainder")
            self.members.append(tuple(inside))
            self.shifts.append(((0, 0, 0),) * len(inside))
            self.values = np.concatenate([self.values, left[None]])
            self.convention = np.concatenate([self.convention, np.zeros_like(left)[None]])
        self.samples = None
        drawn = request.model.posterior([part]) if with_samples else None
        if drawn is not None:
            samples = np.moveaxis(felt(sample_rows(at, drawn.forces[0])), 0, -1)
            extra = len(self.names) - len(samples)
            self.samples = np.concatenate([samples, np.zeros((extra, *samples.shape[1:]))])
