"""What a simulation leaves on disk while it runs, and what makes it the same simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter

from interpmd.errors import SimulationError
from interpmd.potentials.fingerprint import fingerprint
from interpmd.potentials.potential import Potential
from interpmd.structures.files import prepare_output


class Record:
    """Frames in memory and, if there is a file, on disk."""

    def __init__(self, out: str | Path | None, settings: dict[str, Any]) -> None:
        self.frames: list[Atoms] = []
        self.file = None
        if out is None:
            return
        path, side = Path(out), Path(f"{out}.json")
        if path.exists():
            stored = json.loads(side.read_text()) if side.exists() else {}
            asked = json.loads(json.dumps(settings))
            if other := [key for key in asked if stored.get(key, settings) != asked[key]]:
                raise SimulationError(
                    f"{path} exists and was made with other settings ({', '.join(other)}); choose "
                    "another file or delete it"
                )
            self.frames = _stored(path)
        else:
            prepare_output(path)
            side.write_text(json.dumps(settings, indent=1) + "\n")
        self.file = TrajectoryWriter(path, "a" if self.frames else "w")

    def add(self, atoms: Atoms) -> None:
        """Store a copy with energy and forces of the potential, without those of constraints."""
        frame = atoms.copy()
        frame.calc = SinglePointCalculator(
            frame,
            energy=atoms.get_potential_energy(apply_constraint=False),
            forces=atoms.get_forces(apply_constraint=False),
        )
        self.frames.append(frame)
        if self.file is not None:
            self.file.write(frame)

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


def _stored(path: Path) -> list[Atoms]:
    """Frames of a trajectory; none of a file that was broken off before its first one."""
    if path.stat().st_size == 0:
        return []
    try:
        with TrajectoryReader(path) as old:
            return [atoms for atoms in old if isinstance(atoms, Atoms)]
    except Exception as error:
        raise SimulationError(
            f"{path} cannot be read ({type(error).__name__}: {error}); it is no trajectory, or "
            "damaged: choose another file or delete it"
        ) from error


def name(potential: Potential | Calculator) -> str:
    """The same for the same potential, so that no run goes on with another one."""
    if not isinstance(potential, Potential):
        return type(potential).__name__
    return f"{potential.card.level} {fingerprint(potential.terms)}"
