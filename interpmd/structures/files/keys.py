"""Labels by the names that other programs give them.

ASE knows `energy`, `forces` and `stress`, and leaves everything else where it stands:
``REF_energy`` and ``virial`` in `info`, ``dft_forces`` among the arrays. With the name of a key
they become labels; without, errors name the keys that look like labels.

* an energy in eV
* forces in eV/Å; a key with "grad" in its name holds gradients, whose sign is turned
* a stress in eV/Å³, as 3 x 3, 9 or 6 numbers (Voigt: xx, yy, zz, yz, xz, xy); a key with "virial"
  in its name holds virials in eV, which are minus the stress times the volume of the cell
  (extended XYZ, QUIP, DeePMD, MACE)

Where ASE read an energy and a `free_energy` that differ (smeared occupations), the free energy is
the label, since the forces are its derivatives; ``energy_key="energy"`` takes the other one.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.errors import LabelError, LabelWarning

#: Keys that look like labels.
LOOKS = {
    "energy": re.compile(r"energy|^e_?tot|toten|^u0$", re.IGNORECASE),
    "forces": re.compile(r"force|grad|^f$", re.IGNORECASE),
    "stress": re.compile(r"stress|virial", re.IGNORECASE),
}

#: Words in keys of numbers that are not labels.
OTHERS = re.compile(r"weight|std|error|sigma|uncertain|kinetic|per_atom|hash", re.IGNORECASE)

#: Energies and free energies that differ by less (eV) are the same.
SAME = 1e-6


@dataclass(frozen=True)
class Keys:
    """Names under which labels stand; None where ASE's own are meant."""

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None

    def __bool__(self) -> bool:
        return any((self.energy, self.forces, self.stress))


def labelled_frames(frames: Sequence[Atoms], keys: Keys | None = None) -> list[Atoms]:
    """Frames that carry their labels as ASE's own; copies where anything is to be changed.

    A frame that lacks what a key names lacks that label.

    Raises:
        LabelError: no frame has what a key names, or it has another shape.
    """
    keys = keys or Keys()
    for label in ("energy", "forces", "stress"):
        key = getattr(keys, label)
        if key is not None and not any(_find(atoms, key) is not None for atoms in frames):
            raise LabelError(
                f"{label}_key={key!r}: no frame has it{in_words(frames, label) or _there(frames)}"
            )
    free = 0
    ready = []
    for index, atoms in enumerate(frames):
        results = results_of(atoms)
        changed = dict(results)
        for label in ("energy", "forces", "stress"):
            key = getattr(keys, label)
            if key is not None:
                changed.pop(label, None)
                value = _read(atoms, label, key, index)
                if value is not None:
                    changed[label] = value
        if keys.energy is None and _free_energy_differs(results):
            changed["energy"] = float(results["free_energy"])
            free += 1
        if changed.keys() != results.keys() or any(changed[k] is not results[k] for k in changed):
            atoms = _with_results(atoms, changed)
        ready.append(atoms)
    if free:
        warnings.warn(
            f"{free} of {len(frames)} frames have a free energy that differs from the energy; it "
            "is the label, since the forces are its derivatives. For the other one pass "
            "energy_key='energy'",
            LabelWarning,
            stacklevel=3,
        )
    return ready


def results_of(atoms: Atoms) -> dict[str, Any]:
    """The labels of a frame by ASE's names; none if it has no calculator."""
    return {} if atoms.calc is None else atoms.calc.results


def candidates(frames: Sequence[Atoms], label: str) -> list[str]:
    """Keys of some frames that look like a label that ASE does not know, the likeliest first."""
    found: dict[str, None] = {}
    for atoms in frames[:20]:
        for key, value in [*atoms.info.items(), *atoms.arrays.items()]:
            fits = LOOKS[label].search(key) and not OTHERS.search(key)
            if fits and _shaped(value, label, len(atoms)) is not None:
                found.setdefault(key)
    return sorted(found, key=lambda key: (len(key), key))


def in_words(frames: Sequence[Atoms], label: str) -> str:
    """The end of a sentence that says which key to pass; empty where none looks like it."""
    keys = candidates(frames, label)
    if not keys:
        return ""
    return f"; the frames hold {' and '.join(map(repr, keys))}: pass {label}_key={keys[0]!r}"


def _there(frames: Sequence[Atoms]) -> str:
    atoms = frames[0] if frames else Atoms()
    own = set(Atoms("H").arrays)
    names = sorted({*atoms.info, *(set(atoms.arrays) - own), *results_of(atoms)})
    return f"; the first one has {', '.join(names) or 'no labels'}"


def _find(atoms: Atoms, key: str) -> Any:
    for place in (atoms.info, atoms.arrays, results_of(atoms)):
        if key in place and place[key] is not None:
            return place[key]
    return None


def _read(atoms: Atoms, label: str, key: str, index: int) -> Any:
    """The label that stands under a key, as ASE has it; None if the frame has none."""
    given = _find(atoms, key)
    if given is None:
        return None
    value = _shaped(given, label, len(atoms))
    if value is None:
        shape = {"energy": "one number", "forces": f"({len(atoms)}, 3)", "stress": "(3, 3) or (6,)"}
        raise LabelError(
            f"frame {index} ({atoms.symbols}): {key!r} has the shape {np.shape(given)}, and "
            f"{label} are {shape[label]}"
        )
    if label == "energy":
        return float(value)
    if label == "forces":
        return -value if "grad" in key.lower() else value
    if "virial" in key.lower():
        if not atoms.pbc.all():
            return None  # no volume
        value = -value / atoms.get_volume()
    return value


def _shaped(given: Any, label: str, count: int) -> np.ndarray | None:
    """Numbers in the shape of a label, stress as six numbers; None if they are none."""
    try:
        value = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        return None
    if label == "energy":
        return value.reshape(()) if value.size == 1 else None
    if label == "forces":
        if value.shape == (3 * count,):
            value = value.reshape(count, 3)
        return value if value.shape == (count, 3) else None
    if value.shape in ((9,), (3, 3)):
        full = value.reshape(3, 3)
        full = (full + full.T) / 2
        return full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return value if value.shape == (6,) else None


def _free_energy_differs(results: dict[str, Any]) -> bool:
    energy, free = results.get("energy"), results.get("free_energy")
    if energy is None or free is None:
        return False
    return bool(np.isfinite(free) and abs(float(free) - float(energy)) > SAME)


def _with_results(atoms: Atoms, results: dict[str, Any]) -> Atoms:
    copy = atoms.copy()
    if "energy" in results:
        results["free_energy"] = results["energy"]
    copy.calc = SinglePointCalculator(copy)
    copy.calc.results = results
    return copy
