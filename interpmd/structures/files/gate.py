"""From whatever a user has to a list of structures: every function that takes structures asks here.

| what | for instance |
|---|---|
| structures | an `ase.Atoms`, a list of them, a trajectory of ASE or interpmd |
| files | anything that ASE reads, compressed too (``.xyz.gz``) |
| a part of a file | ``"run.xyz@:10"``, ``"run.xyz@-1"``, ``"run.xyz@::5"``, as in ASE |
| several files | a list of paths, or a pattern, ``"runs/*.xyz"`` (in natural order) |
| databases | ``"labels.db"`` of ASE, or what `ase.db.connect` gives |
| xtc, dcd, trr, ... | with ``topology=`` (pdb, gro, prmtop, ...), by MDAnalysis or MDTraj |
| objects | a Universe or an AtomGroup of MDAnalysis, a Trajectory of MDTraj |
"""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.db.core import AtomsRow, Database
from ase.io import iread
from ase.io.formats import string2index

from interpmd.errors import StructureError, StructureFileError
from interpmd.structures.files import foreign
from interpmd.structures.files.keys import Keys, labelled_frames
from interpmd.structures.seals import check_seals

#: What the gate takes.
Structures = str | os.PathLike[str] | Atoms | Iterable[Any] | Any

#: Compressed text that ASE would read slowly, since it seeks in it.
COMPRESSED = (".xyz.gz", ".extxyz.gz")

#: A blank line.
BLANK = re.compile(rb"\n[ \t\r]*\n")

#: Characters of a pattern of file names.
PATTERN = re.compile(r"[*?\[]")


def read_frames(
    source: Structures,
    *,
    topology: str | os.PathLike[str] | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
) -> list[Atoms]:
    """Structures from files, lists, databases and trajectories; see this module's table.

    Args:
        source: what holds them.
        topology: a file that names the atoms of trajectories that hold positions alone (.xtc,
            .dcd, .trr, ...).
        energy_key, forces_key, stress_key: names under which the labels stand, where ASE does not
            know them (``"REF_energy"``); see `interpmd.structures.files.keys`. The frames then
            are copies that carry them as ASE's own.

    Raises:
        StructureFileError: a file that is missing, unreadable, truncated or without structures, or
            something that holds none.
        LabelError: no frame has what a key names.
        LabelSealError, TrajectorySealError: a frame was altered after `label` or `simulate` wrote
            it.
        MissingPackageError: a trajectory whose reader is not installed.
    """
    frames = list(_all(source, topology))
    if energy_key or forces_key or stress_key:
        return labelled_frames(frames, Keys(energy_key, forces_key, stress_key))
    return frames


def as_frames(source: Structures, name: str = "structures") -> list[Atoms]:
    """As `read_frames`, at least one.

    Raises:
        StructureError: there is none. Others: see `read_frames`.
    """
    frames = read_frames(source)
    if not frames:
        raise StructureError(f"no {name} given; pass an ase.Atoms, a list of them, or a file")
    return frames


def one_structure(source: Structures, name: str = "structure") -> Atoms:
    """The one structure that a function works on.

    Raises:
        StructureError: none or several; says how to choose one.
        Others: see `read_frames`.
    """
    if isinstance(source, Atoms):
        return source
    frames = as_frames(source)
    if len(frames) > 1:
        how = f"{source}@-1" if isinstance(source, str | os.PathLike) else "frames[-1]"
        raise StructureError(
            f"one {name} is needed and {len(frames)} are given; choose one, as in {how!r}"
        )
    return frames[0]


def _all(source: Structures, topology: str | os.PathLike[str] | None) -> Iterator[Atoms]:
    if isinstance(source, Atoms):
        yield source
    elif isinstance(source, str | os.PathLike):
        yield from _of_path(os.fspath(source), topology)
    elif isinstance(source, AtomsRow):
        yield _of_row(source)
    elif isinstance(source, Database):
        yield from map(_of_row, source.select())
    elif foreign.is_foreign(source):
        yield from foreign.frames_of(source)
    elif isinstance(source, Iterable) and not isinstance(source, bytes | dict):
        for index, item in enumerate(source):
            if not _may_hold(item):
                raise StructureFileError(
                    f"item {index} is {_words(item)}; a list of structures holds ase.Atoms or paths"
                )
            yield from _all(item, topology)
    else:
        raise StructureFileError(
            f"{_words(source)} holds no structures; pass an ase.Atoms, a list of them, a path, a "
            "pattern of paths, or a trajectory"
        )


def _may_hold(item: Any) -> bool:
    held = (Atoms, AtomsRow, Database, str, os.PathLike, list, tuple)
    return isinstance(item, held) or foreign.is_foreign(item) or hasattr(item, "frames")


def _words(thing: Any) -> str:
    text = repr(thing)
    return f"{type(thing).__name__} {text if len(text) < 40 else text[:37] + '...'}"


def _of_path(path: str, topology: str | os.PathLike[str] | None) -> Iterator[Atoms]:
    """Frames of a file, of a part of it (path@slice), or of all files that a pattern fits."""
    file, index = path, ":"
    if not Path(path).exists() and "@" in Path(path).name:
        file, index = path.rsplit("@", 1)
    if not Path(file).exists() and PATTERN.search(file):
        found = sorted(glob.glob(file, recursive=True), key=_natural)  # noqa: PTH207 (absolute too)
        if not found:
            raise StructureFileError(f"no file fits the pattern {file}")
        for one in found:
            yield from _of_file(Path(one), index, topology)
    else:
        yield from _of_file(Path(file), index, topology)


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which run2 stands before run10."""
    return [(int(d), "") if d else (-1, t) for d, t in re.findall(r"(\d+)|(\D+)", name)]


def _of_file(path: Path, index: str, topology: str | os.PathLike[str] | None) -> list[Atoms]:
    if not path.exists():
        raise StructureFileError(f"there is no file {path}")
    if path.is_dir():
        raise StructureFileError(
            f"{path} is a folder; give a file, or a pattern such as {path / '*.xyz'}"
        )
    which = _index(index, path)
    if topology is not None or path.suffix.lower() in foreign.WITHOUT_ELEMENTS:
        frames = foreign.frames_of_file(path, topology)
        frames = frames[which] if isinstance(which, slice) else [_at(frames, which, path)]
    else:
        frames = _by_ase(path, which)
    check_seals(frames, str(path))
    if not frames:
        raise StructureFileError(
            f"{path} holds no structures" + (f" at {index}" if index != ":" else "")
        )
    return frames


def _index(index: str, path: Path) -> int | slice:
    try:
        which = string2index(index)
    except ValueError:
        which = index
    if isinstance(which, str):
        raise StructureFileError(
            f"{index!r} in {path}@{index} is neither a number nor a slice such as :10 or ::2"
        )
    return which


def _by_ase(path: Path, which: int | slice) -> list[Atoms]:
    """Frames that ASE reads."""
    if path.suffix == ".db":
        from ase.db import connect

        rows = [_of_row(row) for row in _rows(connect(path), path)]
        return rows[which] if isinstance(which, slice) else [_at(rows, which, path)]
    try:
        if path.name.endswith(COMPRESSED):
            with gzip.open(path, "rt") as file:
                text = without_gaps(file.read())
            return list(iread(io.StringIO(text), which, format="extxyz"))
        text = path.suffix in {".xyz", ".extxyz"}
        if text and BLANK.search(whole := path.read_bytes()):
            lines = io.StringIO(without_gaps(whole.decode()))
            return list(iread(lines, which, format="extxyz"))
        # ASE itself looks for @ in names
        return list(
            iread(
                path,
                which,
                format="extxyz" if text else None,
                do_not_split_by_at_sign=True,
            )
        )
    except IndexError as error:
        raise StructureFileError(f"{path} has no frame {which}") from error
    except Exception as error:
        raise StructureFileError(
            f"{path} cannot be read ({type(error).__name__}: {error}); is it truncated, or not a "
            "file of structures?"
        ) from error


def without_gaps(text: str) -> str:
    """XYZ without blank lines between frames, at which ASE stops; comments may be blank."""
    lines, kept, at = text.splitlines(keepends=True), [], 0
    while at < len(lines):
        head = lines[at].strip()
        size = int(head) + 2 if head.isdigit() else int(bool(head))
        kept += lines[at : at + size]
        at += max(size, 1)
    return "".join(kept)


def _rows(database: Database, path: Path) -> list[AtomsRow]:
    try:
        return list(database.select())
    except Exception as error:
        raise StructureFileError(
            f"{path} is no database of ASE ({type(error).__name__}: {error})"
        ) from error


def _at(frames: list[Atoms], which: int, path: Path) -> Atoms:
    try:
        return frames[which]
    except IndexError as error:
        raise StructureFileError(f"{path} has no frame {which}: it holds {len(frames)}") from error


def _of_row(row: AtomsRow) -> Atoms:
    """A row of a database, what its user stored with it among info and arrays."""
    atoms = row.toatoms()
    atoms.info |= row.key_value_pairs
    for key, value in (row.data or {}).items():
        if getattr(value, "shape", ())[:1] == (len(atoms),) and key not in atoms.arrays:
            atoms.arrays[key] = value
        else:
            atoms.info[key] = value
    return atoms
