"""Work of each internal coordinate along a path: how the potential energy changes, and by what.

Coordinates have tensions g = -dE/dq and no energies of their own, but along a path each does the
work

    W_i = integral of g_i dq_i,    sum over i of W_i = -(E(end) - E(start)),

by trapezoids, as SITH does for stretched molecules (https://graeter-group.github.io/sith,
equations 1 and 2), or by splines. Velocities are not needed: a scan, a reaction path or a
relaxation will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from interpmd.attribution.contributions import summed
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.gauges.internal import works
from interpmd.attribution.models import Model
from interpmd.errors import GroupingError
from interpmd.structures.coordinates.graph import unwrapped
from interpmd.structures.threads import one_thread

if TYPE_CHECKING:
    import xarray as xr

STATEMENT = (
    "The works sum to what the potential energy loses (fact, up to the spacing of the frames). "
    "That redundant coordinates share it by their stiffness is a convention."
)


def work_along(
    model: Model,
    frames: Sequence[Atoms],
    times: np.ndarray,
    gauge: InternalGauge,
    by: str = "interaction",
    rule: str = "trapezoid",
) -> xr.Dataset:
    """Works in eV since the first frame, the integrals of g dq.

    Args:
        model: whose forces do the work.
        frames: along the path.
        times: fs, or numbers of the frames.
        gauge: the coordinates, made for these frames.
        by: "interaction", one row for each coordinate, or "kind".
        rule: see `works`.

    Returns:
        See `ledger`: work, total_work, potential_energy and closure_error, with label, kind and
        atoms of each interaction.

    Raises:
        GroupingError: another word for `by`.
    """
    import xarray as xr

    coordinates, whole = gauge.coordinates, unwrapped(frames)
    about = {
        "label": list(coordinates.labels),
        "kind": list(coordinates.kinds),
        "atoms": ["-".join(map(str, members)) for members in coordinates.atoms],
    }
    with one_thread():
        energies, forces = model.evaluate(frames)
    done = works(
        coordinates,
        np.stack([atoms.positions for atoms in whole]),
        np.stack(forces),
        cells=np.stack([np.asarray(atoms.cell) for atoms in whole]),
        rule=rule,
    )
    if by == "kind":
        sums = summed([[kind] for kind in coordinates.kinds], done.T)
        done = np.stack(list(sums.values()), axis=1)
        about = {"label": list(sums), "kind": list(sums), "atoms": [""] * len(sums)}
    elif by != "interaction":
        raise GroupingError(f'works along a path are summed by "kind" or stand alone, not {by!r}')
    order = np.argsort(-np.abs(done).max(0), kind="stable")
    closure = done.sum(1) + (energies - energies[0])
    names = {name: np.array(column, dtype=str)[order] for name, column in about.items()}
    energy = {"units": "eV"}
    return xr.Dataset(
        {
            "work": (("frame", "interaction"), done[:, order], energy),
            "total_work": ("frame", done.sum(1), energy),
            "potential_energy": ("frame", energies, energy),
            "closure_error": ("frame", closure, energy),
        },
        {
            "frame": np.arange(len(frames)),
            "time_fs": ("frame", times, {"units": "fs"}),
            "interaction": names["label"],
            **{name: ("interaction", column) for name, column in names.items()},
        },
        {
            "target": "work along the path",
            "unit": "eV",
            "gauge": gauge.name,
            "method": gauge.method,
            "by": by,
            "rule": rule,
            "rule_order": 4 if rule == "spline" else 2,
            "statement": STATEMENT,
            "largest_closure_error_eV": float(np.abs(closure).max()),
        },
    )
