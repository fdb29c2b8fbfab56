"""Trajectories for other programs: DCD, XTC and TRR, with a topology in PDB beside them.

Lengths in Å, times in ps, velocities in Å/ps, as MDAnalysis has them. XTC keeps positions to 0.01 Å
and, like DCD, no velocities; TRR keeps velocities and forces.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from interpmd.errors import ArgumentError, OutputError
from interpmd.extras import required
from interpmd.storage import writing
from interpmd.structures.chemistry import bonds, molecules
from interpmd.structures.files import prepare_output

#: Endings of the formats, and whether they hold velocities and forces.
FORMATS = {".dcd": False, ".xtc": False, ".trr": True}

#: kJ/mol in eV.
KILOJOULE = units.kJ / units.mol


def other_format(path: str | Path) -> bool:
    """Whether a file is to be written for other programs, by its name."""
    return Path(path).suffix.lower() in FORMATS


def write_for_others(
    path: str | Path,
    frames: Sequence[Atoms],
    times: np.ndarray,
    topology: str | Path | None = None,
) -> None:
    """Write frames as DCD, XTC or TRR, and what the atoms are as PDB.

    Args:
        path: a file that is not there yet.
        frames: of the same atoms.
        times: fs, shape (frames,).
        topology: a .pdb; ``path`` with that ending if left out. It names elements, bonds, and
            molecules as residues, unless the structure has residues of its own.

    Raises:
        ArgumentError: another ending, or no frames.
        MissingPackageError: MDAnalysis is not installed.
        OutputError: a file is there already, or cannot be written.
    """
    path = Path(path)
    topology = path.with_suffix(".pdb") if topology is None else Path(topology)
    if not other_format(path):
        raise ArgumentError(f"{path}: give it a name that ends with {' or '.join(FORMATS)}")
    if topology.suffix.lower() != ".pdb":
        raise ArgumentError(f"{topology}: a topology is written as .pdb; give it such a name")
    if not len(frames):
        raise ArgumentError("there are no frames to write")
    for file in (path, topology):
        if file.exists():
            raise OutputError(f"{file} is there already; choose another name or delete it")
        prepare_output(file)
    analysis = required("MDAnalysis", f"a {path.suffix} file")
    more = FORMATS[path.suffix.lower()]
    universe = _universe(analysis, frames[0], more)
    parts = [file.with_name(f".{file.stem}.part{file.suffix}") for file in (path, topology)]
    try:
        with writing(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a molecule has not: a cell, charges
            _set(universe, frames[0], 0.0, more)
            universe.atoms.write(str(parts[1]), bonds="all")
            step = float(times[1] - times[0]) / 1000 if len(times) > 1 else 1.0
            options = {"dt": step} if path.suffix.lower() == ".dcd" else {}
            with analysis.Writer(str(parts[0]), n_atoms=len(frames[0]), **options) as writer:
                for atoms, time in zip(frames, times, strict=True):
                    _set(universe, atoms, float(time) / 1000, more)
                    writer.write(universe.atoms)
            for part, file in zip(parts, (path, topology), strict=True):
                part.replace(file)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _universe(analysis: Any, atoms: Atoms, more: bool) -> Any:
    """The atoms as MDAnalysis has them."""
    arrays = atoms.arrays
    if "residuenumbers" in arrays and "residuenames" in arrays:
        labels = [*zip(arrays["residuenumbers"], arrays["residuenames"], strict=True)]
        known = dict.fromkeys(labels)
        place = {label: n for n, label in enumerate(known)}
        residue = [place[label] for label in labels]
        numbers, names = zip(*known, strict=True)
    else:
        residue, names = np.zeros(len(atoms), int), []
        for n, members in enumerate(molecules(atoms)):
            residue[list(members)] = n
            names.append("HOH" if sorted(atoms.numbers[list(members)]) == [1, 1, 8] else "MOL")
        numbers = range(1, len(names) + 1)
    universe = analysis.Universe.empty(
        len(atoms),
        n_residues=len(names),
        atom_resindex=residue,
        trajectory=True,
        velocities=more,
        forces=more,
    )
    symbols = atoms.get_chemical_symbols()
    within = [sum(other == r for other in residue[:i]) + 1 for i, r in enumerate(residue)]
    universe.add_TopologyAttr("elements", symbols)
    universe.add_TopologyAttr(
        "names", [f"{symbol}{n}"[:4] for symbol, n in zip(symbols, within, strict=True)]
    )
    universe.add_TopologyAttr("masses", atoms.get_masses())
    universe.add_TopologyAttr("resids", [int(number) for number in numbers])
    universe.add_TopologyAttr("resnames", [str(name) for name in names])
    known_bonds = bonds(atoms)
    inside = ~known_bonds.shifts.any(axis=1)
    universe.add_TopologyAttr("bonds", known_bonds.pairs[inside])
    return universe


def _set(universe: Any, atoms: Atoms, time: float, more: bool) -> None:
    """Make a structure the frame that is written next."""
    here = universe.trajectory.ts
    here.time, here.positions = time, atoms.positions
    if atoms.pbc.any():
        here.dimensions = atoms.cell.cellpar()
    if more:
        here.velocities = atoms.get_velocities() * (1000 * units.fs)
        here.forces = atoms.get_forces(apply_constraint=False) / KILOJOULE
