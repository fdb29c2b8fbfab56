"""Training data: read, checked, split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float

from interpmd.errors import LabelError, LabelWarning, UnknownElementError
from interpmd.structures.systems import atomic_number, check_structure

#: Values of ``atoms.info["config_type"]`` that mark an isolated atom.
ISOLATED = {"isolatedatom", "isolated_atom", "isolated"}


def check_labels(frames: Sequence[Atoms], name: str = "training data") -> None:
    """Raise if a frame is not a valid structure or has no finite energy or forces.

    Raises:
        StructureError: see `interpmd.structures.systems.check_structure`.
        LabelError: energy or forces of a frame are missing or not finite.
    """
    if not frames:
        raise LabelError(f"the {name} are empty")
    for index, atoms in enumerate(frames):
        check_structure(atoms, name=f"{name}, frame {index}")
        results = results_of(atoms)
        for label in ("energy", "forces", "stress"):
            optional = label == "stress" or (label == "forces" and len(atoms) == 1)
            if label not in results and not optional:
                raise LabelError(
                    f"{name}, frame {index} ({atoms.symbols}) has no {label}; ASE expects "
                    f"{label!r} among the results of its calculator (extxyz: "
                    f"{'energy=' if label == 'energy' else 'Properties=...:forces:R:3'})"
                )
            if label in results and not np.isfinite(results[label]).all():
                raise LabelError(f"{name}, frame {index} ({atoms.symbols}): {label} not finite")


def results_of(atoms: Atoms) -> dict[str, Any]:
    """The labels of a frame by name; none if it has no calculator."""
    return {} if atoms.calc is None else atoms.calc.results


def energy_of(atoms: Atoms) -> float:
    """Energy of a frame in eV."""
    return float(results_of(atoms)["energy"])


def energies(frames: Sequence[Atoms]) -> Float[np.ndarray, " frames"]:
    """Energies in eV."""
    return np.array([energy_of(atoms) for atoms in frames])


def forces(frames: Sequence[Atoms]) -> Float[np.ndarray, "atoms 3"]:
    """Forces of all atoms of all frames in eV/Å; zero on single atoms."""
    return np.concatenate(
        [results_of(a).get("forces", np.zeros((len(a), 3))) for a in frames]
    ).reshape(-1, 3)


def stress_of(atoms: Atoms) -> Float[np.ndarray, "3 3"]:
    """Stress of a frame in eV/Å^3."""
    return atoms.get_stress(voigt=False)


def has_stress(atoms: Atoms) -> bool:
    """Whether a frame, periodic in all directions, is labelled with its stress."""
    return bool(atoms.pbc.all()) and "stress" in results_of(atoms)


def subset_of(atoms: Atoms) -> str:
    """Name of the subset that a frame belongs to: info "subset", else "config_type"."""
    return str(atoms.info.get("subset", atoms.info.get("config_type", "all")))


def is_isolated(atoms: Atoms) -> bool:
    """Whether a frame is marked as an isolated atom."""
    marked = str(atoms.info.get("config_type", "")).lower() in ISOLATED
    return len(atoms) == 1 and (marked or not atoms.pbc.any())


def isolated_energies(
    frames: Sequence[Atoms], given: Mapping[int | str, float] | None = None
) -> dict[int, float]:
    """Energies of the isolated atoms in eV: given, of single atoms, or by least squares.

    Least squares fit them to the differences between compositions; the energies of the table's
    one-atom rows are then a convention, and a LabelWarning says so.
    """
    known = {int(a.numbers[0]): energy_of(a) for a in frames if is_isolated(a)}
    for key, value in (given or {}).items():
        known[atomic_number(key)] = float(value)
    elements = sorted({int(z) for a in frames for z in a.numbers})
    missing = [z for z in elements if z not in known]
    if missing:
        warnings.warn(
            "no isolated-atom energies for "
            + ", ".join(chemical_symbols[z] for z in missing)
            + ": taken from a least-squares fit to the total energies, so they are a convention; "
            "add single-atom frames or pass isolated_energies",
            LabelWarning,
            stacklevel=4,  # the caller of `fit`, whose decorator is one level
        )
        counts = np.array([[(a.numbers == z).sum() for z in elements] for a in frames], float)
        of_known = counts @ np.array([known.get(z, 0.0) for z in elements])
        columns = [elements.index(z) for z in missing]
        solution = np.linalg.lstsq(counts[:, columns], energies(frames) - of_known, rcond=None)[0]
        known |= dict(zip(missing, solution.tolist(), strict=True))
    return {z: known[z] for z in elements}


def check_elements_of(frames: Sequence[Atoms], elements: Iterable[int], name: str) -> None:
    """Raise UnknownElementError if frames hold elements that the training data do not."""
    known = set(elements)
    for index, atoms in enumerate(frames):
        if strange := sorted(set(atoms.numbers.tolist()) - known):
            raise UnknownElementError(
                f"{name}, frame {index} holds {chemical_symbols[strange[0]]}, which the training "
                "data do not have"
            )


def split(count: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of frames kept for training and held out for validation."""
    order = np.random.default_rng(seed).permutation(count)
    held = max(1, round(count * fraction)) if count >= 5 and fraction > 0 else 0
    return np.sort(order[held:]), np.sort(order[:held])
