"""The energy along a distance, an angle or a dihedral that is set, all else relaxed or as it is."""

from __future__ import annotations

import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.constraints import FixInternals
from ase.optimize import BFGS
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import attached, snapshot
from interpmd.dynamics.paths.result import Path
from interpmd.dynamics.record import start
from interpmd.dynamics.stages import Stages
from interpmd.errors import ArgumentError, ConvergenceWarning
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.movable import Coordinate, coordinate
from interpmd.structures.threads import one_thread

#: Names of coordinates by their number of atoms, and the words of ASE's constraint.
QUANTITIES = {2: "distance", 3: "angle", 4: "dihedral"}
CONSTRAINTS = {2: "bonds", 3: "angles_deg", 4: "dihedrals_deg"}

#: Their values lie above the first and up to the second number, in this unit.
RANGES = {2: (0.0, np.inf, "Å"), 3: (0.0, 180.0, "°"), 4: (-np.inf, np.inf, "°")}


@one_thread()
def scan(
    potential: Potential | Calculator | str,
    atoms: Structures,
    along: Sequence[int],
    values: Sequence[float] | Float[np.ndarray, " points"],
    *,
    relax: bool = True,
    force: float = 0.01,
    steps: int = 500,
    out: str | pathlib.Path | None = None,
    progress: bool = True,
) -> Path:
    """Structures and energies along a distance, an angle or a dihedral.

    The group behind the last bond moves as a whole; then, unless the scan is rigid, everything but
    the coordinate relaxes, beginning from the structure before.

    A keyboard interrupt ends it early and returns what is in the file, if there is one.

    Args:
        potential: an interpmd potential, or any calculator of ASE.
        atoms: the structure to start from.
        along: two atoms (a distance), three (an angle) or four (a dihedral).
        values: Å or degrees, in their order.
        relax: whether to relax all else at each value; False for a rigid scan.
        force: eV/Å; largest force that is left on an atom, other than along the coordinate.
        steps: at most, for each value.
        out: a .traj file that grows by one structure for each value. The same call goes on.
        progress: whether to show a progress bar.

    Raises:
        StructureError: no such atoms, or a structure that cannot be used.
        ArgumentError: fewer than two values, or numbers that make no sense.
        OutputError, SimulationError, TrajectorySealError: of `out`, see `simulate`.

    Warns:
        ConvergenceWarning: a structure did not relax within that many steps.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> stretched = im.scan(
        ...     im.load("water"), molecule("H2O"), (0, 1), [0.96, 1.0, 1.04], progress=False
        ... )
        >>> bool(stretched.energies[2] > stretched.energies[0])
        True
    """
    arguments.positive(force=force)
    arguments.count(steps=steps)
    places = arguments.numbers_of(values, "values")
    chain = arguments.atoms_of(along, "along", QUANTITIES)
    if len(places) < 2:
        raise ArgumentError(f"values are two numbers or more, not {values!r}")
    low, high, unit = RANGES[len(chain)]
    if (wrong := places[(places <= low) | (places > high)]).size:
        raise ArgumentError(
            f"no {QUANTITIES[len(chain)]} is {wrong[0]:g} {unit}: values lie above {low:g} and up "
            f"to {high:g} {unit}"
        )
    first = one_structure(atoms)
    moved = coordinate(first, *chain)
    settings: dict[str, Any] = {
        "search": "scan",
        "along": list(moved.atoms),
        "values": places.tolist(),
        "relax": relax,
        "force": force,
        **start(potential, first),
    }
    stuck: list[float] = []
    with Stages(out, settings) as stages:
        frames = stages.frames
        now = frames[-1] if frames else first
        try:
            left = places[len(frames) :]
            for value in tqdm(left, desc="scan", unit="structure", disable=not progress):
                now, relaxed = _at(potential, now, moved, float(value), relax, force, steps)
                stuck += [] if relaxed else [float(value)]
                frames.append(snapshot(now))
                stages.keep(frames)
        except KeyboardInterrupt:
            if out is None or len(frames) < 2:
                raise
        stages.keep(frames, now=True)
    symbols = first.get_chemical_symbols()
    label = "–".join(f"{symbols[a]}{a}" for a in moved.atoms)
    quantity = f"{QUANTITIES[len(moved.atoms)]} {label}"
    whole = not stuck and len(frames) == len(places)
    if stuck:
        warnings.warn(
            f"{quantity} = {stuck[0]:g} {moved.unit} did not relax within {steps} steps"
            + (f", nor did {len(stuck) - 1} others" if len(stuck) > 1 else ""),
            ConvergenceWarning,
            stacklevel=3,
        )
    return Path(frames, places[: len(frames)], quantity, moved.unit, "scan", whole, settings)


def _at(
    potential: Potential | Calculator | str,
    atoms: Atoms,
    along: Coordinate,
    value: float,
    relax: bool,
    force: float,
    steps: int,
) -> tuple[Atoms, bool]:
    """The structure at a value of the coordinate, and whether it is relaxed."""
    bare = atoms.copy()
    held = bare.constraints
    bare.set_constraint()
    moving = attached(along.at(bare, value), potential)
    if not relax:
        return moving, True
    fixed = {CONSTRAINTS[len(along.atoms)]: [[value, list(along.atoms)]]}
    moving.set_constraint([*held, FixInternals(**fixed)])
    done = bool(BFGS(moving, logfile=None).run(fmax=force, steps=steps))
    moving.set_constraint(held)
    return moving, done
