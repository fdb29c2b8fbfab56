"""What the scripts that make the shipped data share: splits, compact files, cards."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase import Atoms

from interpmd.fitting.checks.sets import check_overlap

DATA = Path(__file__).parent
SCRATCH = DATA.parent / "scratch"


def tagged(frames: list[Atoms], subset: str, **info) -> list[Atoms]:
    """The frames with ``info["subset"]`` and nothing else but what is given."""
    result = []
    for atoms in frames:
        copy = Atoms(atoms.numbers, atoms.positions)
        copy.info = {"subset": subset, **info}
        result.append(copy)
    return result


def shuffled(frames: list[Atoms], seed: int) -> list[Atoms]:
    """The frames in a random order."""
    order = np.random.default_rng(seed).permutation(len(frames))
    return [frames[i] for i in order]


def distinct(frames: list[Atoms]) -> list[Atoms]:
    """The frames without repetitions of the same atoms at the same places."""
    first = {}
    for atoms in frames:
        places = np.round(atoms.positions - atoms.positions[0], 4) + 0.0
        first.setdefault((atoms.numbers.tobytes(), places.tobytes()), atoms)
    return list(first.values())


def without(frames: list[Atoms], others: list[Atoms]) -> list[Atoms]:
    """The frames that are not among others, however they are turned."""
    known = {k for found in check_overlap(others, {"new": frames}) for k in found.frames}
    return [atoms for k, atoms in enumerate(frames) if k not in known]


def thinned(frames: list[Atoms], maximum_force: float) -> list[Atoms]:
    """Labelled frames whose largest force (eV/A) stays below a limit."""
    return [a for a in frames if np.linalg.norm(a.get_forces(), axis=1).max() < maximum_force]


def split(frames: list[Atoms], test: int, seed: int) -> dict[str, list[Atoms]]:
    """Train and test frames; the test set holds every subset in proportion.

    Isolated atoms go to train. Both parts are in random order.
    """
    rng = np.random.default_rng(seed)
    subsets: dict[str, list[int]] = {}
    for index, atoms in enumerate(frames):
        subsets.setdefault(atoms.info["subset"], []).append(index)
    subsets.pop("isolated", None)
    total = sum(len(members) for members in subsets.values())
    exact = {name: test * len(members) / total for name, members in subsets.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: test - sum(counts.values())]:
        counts[name] += 1
    held = set()
    for name, members in subsets.items():
        held |= set(rng.permutation(members)[: counts[name]].tolist())
    order = rng.permutation(len(frames)).tolist()
    return {
        "train": [frames[i] for i in order if i not in held],
        "test": [frames[i] for i in order if i in held],
    }


def extxyz(atoms: Atoms, places: int = 6, digits: int = 6) -> str:
    """One frame in extended XYZ: positions (A) and forces (eV/A) to so many digits, energy (eV) to
    two more than forces; of periodic boxes cell (A) and stress (eV/A^3) too."""
    info = {"energy": f"{atoms.get_potential_energy():.{digits + 2}f}"}
    if atoms.pbc.all():
        info["Lattice"] = _quoted(atoms.cell.array, 6)
        info["stress"] = _quoted(atoms.get_stress(voigt=False), 8)
    info |= {key: atoms.info[key] for key in ("subset", "level", "charge", "multiplicity")}
    info |= {k: atoms.info[k] for k in ("config_type", "molecules") if k in atoms.info}
    info |= {k: f"{atoms.info[k]:.4f}" for k in ("angle",) if k in atoms.info}
    if "molecule" in atoms.info:
        info["molecule"] = f'"{atoms.info["molecule"]}"'
    if "dihedral" in atoms.info:
        info["dihedral"] = f'"{" ".join(map(str, atoms.info["dihedral"]))}"'
    words = " ".join(f"{key}={value}" for key, value in info.items())
    lines = [
        str(len(atoms)),
        f'Properties=species:S:1:pos:R:3:forces:R:3 {words} pbc="{_pbc(atoms)}"',
    ]
    for symbol, x, f in zip(atoms.symbols, atoms.positions, atoms.get_forces(), strict=True):
        numbers = [f"{v + 0.0:.{places}f}" for v in np.round(x, places)]
        numbers += [f"{v + 0.0:.{digits}f}" for v in np.round(f, digits)]
        lines.append(f"{symbol} {' '.join(numbers)}")
    return "\n".join(lines) + "\n"


def _quoted(matrix: np.ndarray, digits: int) -> str:
    return '"' + " ".join(f"{v + 0.0:.{digits}f}" for v in np.round(matrix, digits).flat) + '"'


def _pbc(atoms: Atoms) -> str:
    return " ".join("T" if periodic else "F" for periodic in atoms.pbc)


def write_geometries(path: Path, frames: list[Atoms]) -> None:
    """A file of structures without labels, empty if there are none; whole, or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.touch()
    if frames:
        ase.io.write(beside, frames, format="extxyz")
    beside.rename(path)


def write(path: Path, frames: list[Atoms], places: int = 6, digits: int = 6) -> str:
    """A gzip file that depends on the frames only, not on time or name; the text's SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(extxyz(atoms, places, digits) for atoms in frames).encode()
    path.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    return hashlib.sha256(text).hexdigest()


def ship(name: str, frames: list[Atoms], test: int, seed: int, description: str, **more) -> dict:
    """Write train and test files and the card of a set; returns the card."""
    folder = DATA / name
    parts = split(frames, test, seed)
    digests = {
        part: write(folder / f"{part}.extxyz.gz", members) for part, members in parts.items()
    }
    isolated = [a for a in frames if a.info["subset"] == "isolated"]
    card = {
        "name": name,
        "description": description,
        "level": frames[0].info["level"],
        "code": f"{frames[0].info['code']}, ase {ase.__version__}",
        "units": {"positions": "A", "energy": "eV", "forces": "eV/A"},
        "regenerate": f"python data/make_{name}.py",
        "seed": seed,
        "isolated_atom_energies_eV": {
            str(a.symbols[0]): round(a.get_potential_energy(), 8) for a in isolated
        },
        "counts": {
            part: dict(sorted(Counter(a.info["subset"] for a in members).items()))
            for part, members in parts.items()
        },
        "frames": {part: len(members) for part, members in parts.items()},
        "force_rms_eV_per_A": {
            part: round(_force_rms(members), 4) for part, members in parts.items()
        },
        "sha256_of_text": digests,
        **more,
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))
    return card


def _force_rms(frames: list[Atoms]) -> float:
    forces = [a.get_forces() for a in frames if len(a) > 1]
    return float(np.sqrt(np.mean(np.concatenate(forces) ** 2)))
