"""Trajectories of MDAnalysis and MDTraj, and files of positions alone, which need a topology.

Positions become Å (MDTraj has nm), velocities ASE's own unit, times fs in ``info["time_fs"]``;
residues stand in the arrays `residuenumbers` and `residuenames`, as ASE reads them from PDB files.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import atomic_numbers

from interpmd.errors import StructureFileError
from interpmd.extras import required

#: Endings of files that hold positions without elements.
WITHOUT_ELEMENTS = {".xtc", ".dcd", ".trr", ".nc", ".ncdf", ".h5", ".binpos", ".lh5", ".mdcrd"}


def is_foreign(source: Any) -> bool:
    """Whether a thing is a trajectory of MDAnalysis or MDTraj; neither is loaded to find out."""
    return _package(source) in ("MDAnalysis", "mdtraj")


def frames_of(source: Any) -> Iterator[Atoms]:
    """Frames of a Universe or an AtomGroup of MDAnalysis, or of a Trajectory of MDTraj.

    Raises:
        StructureFileError: another object of theirs, or atoms whose elements are unknown.
    """
    if _package(source) == "mdtraj" and hasattr(source, "xyz"):
        yield from _of_mdtraj(source)
    elif hasattr(source, "atoms") and hasattr(source.atoms, "universe"):
        yield from _of_mdanalysis(source.atoms)
    else:
        raise StructureFileError(
            f"{type(source).__name__} of {_package(source)} holds no frames; pass a Universe, an "
            "AtomGroup, or a Trajectory of MDTraj"
        )


def frames_of_file(path: Path, topology: str | os.PathLike[str] | None) -> list[Atoms]:
    """Frames of a file of positions, by MDAnalysis if it is installed, else by MDTraj.

    Raises:
        StructureFileError: no topology, or files that do not fit or cannot be read.
        MissingPackageError: neither is installed.
    """
    if topology is None and path.suffix.lower() not in {".h5", ".nc"}:
        raise StructureFileError(
            f"{path} holds positions alone; say what the atoms are, with topology= (a .pdb, .gro "
            "or .prmtop file): im.read_frames(path, topology=...)"
        )
    if topology is not None and not Path(topology).exists():
        raise StructureFileError(f"there is no file {topology}, which is to name the atoms")
    by_mdtraj = topology is None or importlib.util.find_spec("MDAnalysis") is None
    name = "mdtraj" if by_mdtraj else "MDAnalysis"
    library = required(name, f"{path.suffix} trajectories")
    try:
        if by_mdtraj:
            options = {} if topology is None else {"top": os.fspath(topology)}
            return list(_of_mdtraj(library.load(os.fspath(path), **options)))
        universe = library.Universe(os.fspath(topology), os.fspath(path))
        return list(_of_mdanalysis(universe.atoms))
    except StructureFileError:
        raise
    except Exception as error:
        raise StructureFileError(
            f"{path} with the topology {topology} cannot be read by {name} "
            f"({type(error).__name__}: {error})"
        ) from error


def _of_mdanalysis(group: Any) -> Iterator[Atoms]:
    from MDAnalysis.exceptions import NoDataError

    def known(what: str) -> np.ndarray | None:
        try:
            return np.asarray(getattr(group, what))
        except (NoDataError, AttributeError):
            return None

    symbols, names, masses = known("elements"), known("names"), known("masses")
    numbers = _numbers(symbols, names, masses)
    arrays = {"residuenumbers": known("resids"), "residuenames": known("resnames")}
    for step in group.universe.trajectory:
        atoms = Atoms(numbers, positions=np.asarray(group.positions, dtype=float))
        if step.dimensions is not None and np.all(np.asarray(step.dimensions[:3]) > 0):
            atoms.set_cell(np.asarray(step.dimensions, dtype=float))
            atoms.set_pbc(True)
        if getattr(step, "has_velocities", False):  # Å/ps
            atoms.set_velocities(np.asarray(group.velocities, float) / (1000 * units.fs))
        yield _described(atoms, arrays, 1000 * float(step.time))


def _of_mdtraj(trajectory: Any) -> Iterator[Atoms]:
    own = list(trajectory.topology.atoms)
    symbols = np.array([a.element.symbol if a.element is not None else "" for a in own])
    numbers = _numbers(symbols, np.array([a.name for a in own]), None)
    arrays = {
        "residuenumbers": np.array([a.residue.resSeq for a in own]),
        "residuenames": np.array([a.residue.name for a in own]),
    }
    cells = trajectory.unitcell_vectors
    for index, positions in enumerate(trajectory.xyz):
        atoms = Atoms(numbers, positions=10.0 * np.asarray(positions, dtype=float))
        if cells is not None and np.abs(cells[index]).max() > 0:
            atoms.set_cell(10.0 * np.asarray(cells[index], dtype=float))
            atoms.set_pbc(True)
        yield _described(atoms, arrays, 1000 * float(trajectory.time[index]))


def _described(atoms: Atoms, arrays: dict[str, np.ndarray | None], time: float) -> Atoms:
    for name, values in arrays.items():
        if values is not None:
            atoms.set_array(name, values)
    atoms.info["time_fs"] = time
    return atoms


def _numbers(
    symbols: np.ndarray | None, names: np.ndarray | None, masses: np.ndarray | None
) -> np.ndarray:
    """Atomic numbers from elements, else from names whose masses agree where there are any."""
    if symbols is not None and all(str(s).capitalize() in atomic_numbers for s in symbols):
        return np.array([atomic_numbers[str(s).capitalize()] for s in symbols])
    count = len(symbols if symbols is not None else names if names is not None else [])
    numbers = np.zeros(count, dtype=int)
    for atom in range(count):
        given = "" if symbols is None else str(symbols[atom]).capitalize()
        name = "" if names is None else str(names[atom])
        mass = None if masses is None else float(masses[atom])
        numbers[atom] = atomic_numbers.get(given, 0) or _by_name(name, mass)
        if not numbers[atom]:
            raise StructureFileError(
                f"atom {atom} ({name!r}) has no element in the topology; give a topology with "
                "elements (.pdb with its last column, .prmtop), or name them with "
                "universe.add_TopologyAttr('elements', [...])"
            )
    return numbers


def _by_name(name: str, mass: float | None) -> int:
    """The element that a name of an atom begins with ("HW1", "OW", "CA" of mass 12)."""
    from ase.data import atomic_masses

    letters = "".join(c for c in name if c.isalpha())
    for size in (2, 1) if mass else (1,):
        number = atomic_numbers.get(letters[:size].capitalize(), 0)
        if number and (not mass or abs(atomic_masses[number] - mass) < 0.6):
            return number
    return 0


def _package(source: Any) -> str:
    return type(source).__module__.partition(".")[0]
