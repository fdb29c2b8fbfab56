"""Forces as tensions of internal coordinates: the rows of the gauge "internal"."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.gauges.internal import (
    Balance,
    balance,
    carried,
    convention_rows,
    sample_rows,
)
from interpmd.attribution.methods.common import at_least_one, conservation
from interpmd.attribution.methods.registry import Request, method
from interpmd.attribution.targets import Functional
from interpmd.decomposition import Clusters
from interpmd.errors import MethodError

#: eV/Å. What no coordinate carries is left out where it is smaller: rounding.
ROUNDING = 1e-10

STATEMENT = (
    "The rows sum to the force (fact), and each conserves momentum and angular momentum. That "
    "redundant coordinates share it so, with the least sum of g²/k, is a convention: which "
    "coordinates there are, and how stiff each is."
)


@method(
    "tensions",
    computes="tension of each internal coordinate, -dE/dq, as the force that it puts on the atoms; "
    "redundant coordinates share by their stiffness",
    guarantees=("complete", "linear", "momentum"),
    cost="one evaluation of the forces",
    gauges=("internal",),
    error_bars=True,
)
def tensions(request: Request, error_bars: bool = True, draws: int = 32) -> Explanation:
    """F = B^T g with the least sum of g²/k; see `interpmd.attribution.gauges.internal`.

    Args:
        request: of a force, torque or power.
        error_bars: whether to carry the samples of the model's posterior along.
        draws: of the stiffnesses, for the convention's bar.

    Raises:
        MethodError: an energy, which has no rows at a single structure.
    """
    at_least_one(draws=draws)
    functional = request.target.functional(request.atoms)
    if functional.energy.any():
        raise MethodError(
            "tensions explain forces and work, not the energy of a single structure: that is "
            'explained with gauge="groups" or "molecules", a change of energy along a path by the '
            'work of each coordinate (im.ledger(..., gauge="internal"))'
        )
    assert isinstance(request.gauge, InternalGauge)
    atoms, coordinates = request.atoms, request.gauge.coordinates
    _, [forces] = request.model.evaluate([atoms])
    at = balance(coordinates, atoms.positions, cell=np.asarray(atoms.cell))
    rows = carried(at, forces)
    values = _felt(functional, rows.rows)
    others = _felt(functional, convention_rows(at, forces, draws))
    convention = np.sqrt(np.mean((others - values) ** 2, axis=0))
    samples = None
    left = rows.named_remainders(ROUNDING)
    rest = np.array([_felt(functional, force) for force in left.values()])
    names = [*coordinates.labels, *left]
    posterior = request.model.posterior([atoms]) if error_bars else None
    if posterior is not None:
        samples = _samples(at, functional, posterior.forces[0], len(left))
    checks = conservation(rows.rows, atoms)
    everyone = tuple(range(len(atoms)))
    return Explanation(
        atoms=atoms,
        target=request.target,
        clusters=Clusters.named(
            [*coordinates.atoms, *(everyone for _ in left)],
            names,
            [*(len(a) for a in coordinates.atoms), *(0 for _ in left)],
            [*coordinates.shifts, *([(0, 0, 0)] * len(atoms) for _ in left)],
        ),
        values=functional.shaped(np.concatenate([values, rest.reshape(-1, values.shape[1])])),
        predicted=np.asarray(functional.shaped(_felt(functional, forces))),
        statement=STATEMENT,
        samples=None if samples is None else _shaped_samples(functional, samples),
        convention=_padded(functional, convention, len(left)),
        kinds_of_terms={
            **dict(zip(coordinates.labels, coordinates.kinds, strict=True)),
            **dict.fromkeys(left, "remainder"),
        },
        checks=checks,
        provenance=request.model.provenance,
    )


def _felt(
    functional: Functional, forces: Float[np.ndarray, "*rows atoms 3"]
) -> Float[np.ndarray, "*rows components"]:
    """The target that forces make."""
    return np.einsum("...ax,cax->...c", forces, functional.forces)


def _samples(
    at: Balance, functional: Functional, drawn: Float[np.ndarray, "samples atoms 3"], left: int
) -> Float[np.ndarray, "rows components samples"]:
    """Samples of the rows; those of what no coordinate carries vanish with it."""
    samples = np.moveaxis(_felt(functional, sample_rows(at, drawn)), 0, -1)
    return np.concatenate([samples, np.zeros((left, *samples.shape[1:]))])


def _shaped_samples(functional: Functional, samples: np.ndarray) -> np.ndarray:
    return samples if functional.vector else samples[:, 0]


def _padded(functional: Functional, convention: np.ndarray, left: int) -> np.ndarray:
    return functional.shaped(np.concatenate([convention, np.zeros((left, convention.shape[1]))]))
