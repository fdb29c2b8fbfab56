"""The committor: how often what starts from a structure reaches the second state first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.events.coordinate import ReactionCoordinate, as_coordinate
from interpmd.dynamics.shooting.shots import Rules, drawn_velocities, moving_copy, run_half
from interpmd.errors import ReactionError
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread


@one_thread()
def committor(
    potential: Potential | Calculator | str,
    structures: Structures,
    coordinate: ReactionCoordinate | Callable[[Atoms], float],
    shots: int = 50,
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    longest: float = 1000.0,
    seed: int = 0,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Share of the trajectories from each structure that reach the second state first.

    Near 0.5 a structure is a transition state (Geissler, Dellago and Chandler, J. Phys. Chem. B
    103, 3706, 1999); a coordinate whose middle holds structures with committors all over has left
    something out. Velocities come in pairs, v and −v.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        structures: one or more, or files of them.
        coordinate, temperature, timestep, longest, low, middle, high, progress: see `im.shoot`.
        shots: trajectories from each structure.
        seed: of the velocities.

    Raises:
        ArgumentError: numbers that make no sense.
        ReactionError: no structures.

    Returns:
        A row for each structure: value of the coordinate, committor, its standard error (that of
        Agresti and Coull, which is not zero where all shots agree: Am. Stat. 52, 119, 1998), number
        of shots that reached a state, and of those that reached none or broke off.
    """
    arguments.count(shots=shots)
    arguments.seeds(seed=seed)
    arguments.positive(temperature=temperature, timestep=timestep, longest=longest)
    coordinate = as_coordinate(coordinate, low, middle, high)
    frames = read_frames(structures)
    if not frames:
        raise ReactionError("there is no structure whose committor could be found")
    rules = Rules(coordinate, temperature, timestep, 0.0, longest, seed)
    rows = []
    for index, atoms in enumerate(tqdm(frames, desc="committor", disable=not progress)):
        check_structure(atoms)
        arguments.masses_of(atoms, f"structure {index}")
        coordinate.check(atoms)
        moving = moving_copy(potential, atoms)
        ends = []
        for shot in range(shots):
            v = drawn_velocities(atoms, temperature, [seed, index, shot // 2])
            way = -v if shot % 2 else v
            half = run_half(moving, atoms.positions, way, rules, 0.0)
            ends.append(-1 if half.trouble else half.state)
        rows.append({"coordinate": coordinate(atoms), **of_ends(np.array(ends))})
    return pd.DataFrame(rows).rename_axis("structure")


def of_ends(ends: np.ndarray) -> dict[str, float | int]:
    """Committor and its error from the states that shots reached (0, 1, or −1 for none)."""
    decided, second = int((ends >= 0).sum()), int((ends == 1).sum())
    better = (second + 2) / (decided + 4)
    return {
        "committor": second / decided if decided else np.nan,
        "error": float(np.sqrt(better * (1 - better) / (decided + 4))) if decided else np.nan,
        "decided": decided,
        "undecided": len(ends) - decided,
    }
