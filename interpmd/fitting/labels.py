"""Training data: read, checked, split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.units import Bohr, Hartree, kcal, mol

from interpmd.errors import LabelError, UnknownElementError
from interpmd.systems import check_structure

#: Values of ``atoms.info["config_type"]`` that mark an isolated atom.
ISOLATED = {"isolatedatom", "isolated_atom", "isolated"}

#: Ratios that wrong units produce between true energy differences and those from the forces.
WRONG_UNITS = {
    -1.0: "the forces seem to have the wrong sign (gradients); multiply them by -1",
    Hartree / Bohr: f"the forces seem to be in Hartree/bohr; multiply them by {Hartree / Bohr:.4f}",
    Hartree: f"the forces seem to be in Hartree/A; multiply them by {Hartree:.4f}",
    1 / Hartree: f"the energies seem to be in Hartree; multiply them by {Hartree:.4f}",
    kcal / mol: "the forces seem to be in kcal/mol/A; multiply them by 0.043364",
    mol / kcal: "the energies seem to be in kcal/mol; multiply them by 0.043364",
    1 / Bohr: "the forces seem to be in eV/bohr; multiply them by 1.8897",
}


class LabelWarning(UserWarning):
    """Something about the training data that the fit can live with."""


def check_labels(frames: Sequence[Atoms], name: str = "training data") -> None:
    """Raise if a frame is no structure or lacks a finite energy or finite forces.

    Raises:
        StructureError: see `interpmd.systems.check_structure`.
        LabelError: names the first frame without energy or forces, or with values not finite.
    """
    if not frames:
        raise LabelError(f"the {name} are empty")
    for index, atoms in enumerate(frames):
        check_structure(atoms, name=f"{name}, frame {index}")
        results = atoms.calc.results if atoms.calc is not None else {}
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


def energies(frames: Sequence[Atoms]) -> np.ndarray:
    """Energies in eV, shape (frames,)."""
    return np.array([float(atoms.calc.results["energy"]) for atoms in frames])


def forces(frames: Sequence[Atoms]) -> np.ndarray:
    """Forces of all atoms of all frames in eV/A, shape (atoms, 3); zero on single atoms."""
    return np.concatenate(
        [a.calc.results.get("forces", np.zeros((len(a), 3))) for a in frames]
    ).reshape(-1, 3)


def has_stress(atoms: Atoms) -> bool:
    """Whether a frame, periodic in all directions, is labelled with its stress."""
    return bool(atoms.pbc.all()) and "stress" in atoms.calc.results


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
    """Energies of the isolated atoms in eV: given, from single atoms, else least squares.

    Least squares takes the differences between compositions for them: then the energies of the
    table's one-atom rows are a convention, and a LabelWarning says so.
    """
    found = {int(a.numbers[0]): float(a.calc.results["energy"]) for a in frames if is_isolated(a)}
    for key, value in (given or {}).items():
        found[atomic_numbers[key] if isinstance(key, str) else int(key)] = float(value)
    elements = sorted({int(z) for a in frames for z in a.numbers})
    missing = [z for z in elements if z not in found]
    if missing:
        warnings.warn(
            "no isolated-atom energies for "
            + ", ".join(chemical_symbols[z] for z in missing)
            + ": taken from a least-squares fit to the total energies, so they are a convention; "
            "add single-atom frames or pass isolated_energies",
            LabelWarning,
            stacklevel=3,
        )
        counts = np.array([[(a.numbers == z).sum() for z in elements] for a in frames], float)
        known = counts @ np.array([found.get(z, 0.0) for z in elements])
        columns = [elements.index(z) for z in missing]
        solution = np.linalg.lstsq(counts[:, columns], energies(frames) - known, rcond=None)[0]
        found |= dict(zip(missing, solution.tolist(), strict=True))
    return {z: found[z] for z in elements}


def check_elements_of(frames: Sequence[Atoms], elements: Iterable[int], name: str) -> None:
    """Raise UnknownElementError if frames hold elements that the training data lack."""
    known = set(elements)
    for index, atoms in enumerate(frames):
        if strange := sorted(set(atoms.numbers.tolist()) - known):
            raise UnknownElementError(
                f"{name}, frame {index} holds {chemical_symbols[strange[0]]}, which the training "
                "data do not have"
            )


def check_consistency(frames: Sequence[Atoms], seed: int = 0, most: int = 120) -> float | None:
    """Check that forces are minus the gradients of the energies, in eV and A.

    A small potential is fitted to the forces alone and asked for the energy differences between
    frames of one composition and one cell (forces do not tell what a change of the cell costs);
    the slope of the true differences against those tells wrong signs and units.

    Returns:
        The slope (1 where all is well), or None if the data do not determine it.

    Raises:
        LabelError: naming the wrong sign or unit.
    """
    from interpmd.fitting.normal import quick_energies

    groups: dict[tuple, list[Atoms]] = {}
    for atoms in frames:
        if len(atoms) > 1:
            groups.setdefault(_comparable(atoms), []).append(atoms)
    if not groups:
        return None
    largest = max(groups.values(), key=len)
    if len(largest) < 10:
        return None
    chosen = np.random.default_rng(seed).permutation(len(largest))[:most]
    sample = [largest[i] for i in chosen]
    predicted, true = quick_energies(sample, seed), energies(sample)
    x, y = predicted - np.median(predicted), true - np.median(true)
    if x.std() < 1e-9 or y.std() < 1e-9:
        return None
    correlation = float(np.corrcoef(x, y)[0, 1])
    if abs(correlation) < 0.6:
        return None
    slope = float(np.sign(correlation) * y.std() / x.std())
    nearest = min(WRONG_UNITS, key=lambda r: _distance(slope, r))
    if _distance(slope, nearest) < min(_distance(slope, 1.0), 0.35):
        raise LabelError(
            f"energies and forces disagree: true energy differences are about {slope:.2g} times "
            f"those that the forces imply, and the nearest factor between units is {nearest:.4g}; "
            f"{WRONG_UNITS[nearest]}"
        )
    if _distance(slope, 1.0) > 0.7:
        warnings.warn(
            f"true energy differences are {slope:.3g} times those that the forces imply; check "
            "the units (eV and eV/A)",
            LabelWarning,
            stacklevel=3,
        )
    return slope


def _comparable(atoms: Atoms) -> tuple:
    """The same for frames between which forces tell the difference of the energies."""
    cell = np.round(np.asarray(atoms.cell)[atoms.pbc], 2) + 0.0
    return tuple(sorted(atoms.numbers)), tuple(atoms.pbc), tuple(cell.ravel())


def split(count: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of frames kept for training and held out for validation."""
    order = np.random.default_rng(seed).permutation(count)
    held = max(1, round(count * fraction)) if count >= 5 and fraction > 0 else 0
    return np.sort(order[held:]), np.sort(order[:held])


def _distance(slope: float, ratio: float) -> float:
    """Difference of two ratios on a logarithmic scale; infinite if their signs differ."""
    return abs(np.log(slope / ratio)) if slope * ratio > 0 else np.inf
