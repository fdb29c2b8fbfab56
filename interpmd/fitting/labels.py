"""Training data: read, checked, split."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float

from interpmd.errors import ArgumentError, LabelError, LabelWarning, UnknownElementError
from interpmd.fitting.checks import isolated
from interpmd.potentials.fingerprint import digest
from interpmd.structures.files.keys import in_words, results_of
from interpmd.structures.systems import atomic_number, check_structure

#: Energies of isolated atoms (eV) that differ by more contradict each other.
CONTRADICTION = 0.02


def check_labels(frames: Sequence[Atoms], name: str = "training data") -> None:
    """Raise if a frame is not a valid structure or has no label at all; warn of partial ones.

    Frames with an energy only, with forces only, or with forces of some atoms are used for what
    they have. NaN is what programs write for what is missing; infinity is no label.

    Raises:
        StructureError: see `interpmd.structures.systems.check_structure`.
        LabelError: a frame has neither energy nor forces, which says what its keys are; a label is
            infinite or of another shape.
    """
    if not frames:
        raise LabelError(f"the {name} are empty")
    missing: dict[str, list[int]] = {"energy": [], "forces": [], "forces of some atoms": []}
    for index, atoms in enumerate(frames):
        check_structure(atoms, name=f"{name}, frame {index}")
        _check_shapes(atoms, f"{name}, frame {index} ({atoms.symbols})")
        with_energy = np.isfinite(energy_of(atoms))
        known = np.isfinite(forces([atoms])).all(1)
        single = len(atoms) == 1
        if not with_energy and (single or not known.any()):
            raise LabelError(
                f"{name}, frame {index} ({atoms.symbols}) has no energy"
                + (" and no forces" * (not single))
                + _what_there_is(frames, index)
            )
        if not with_energy:
            missing["energy"].append(index)
        if not known.any():
            missing["forces"].append(index)
        elif not known.all():
            missing["forces of some atoms"].append(index)
    if said := [_counted(what, indices) for what, indices in missing.items() if indices]:
        warnings.warn(
            f"{name}: of {len(frames)} frames {', '.join(said)}; they are used for what they have"
            + "".join(in_words(frames, what) for what in ("energy", "forces") if missing[what]),
            LabelWarning,
            stacklevel=4,  # the caller of `fit`, whose decorator is one level
        )


def _check_shapes(atoms: Atoms, name: str) -> None:
    shapes = {"energy": (), "forces": (len(atoms), 3), "stress": (6,)}
    for label, value in results_of(atoms).items():
        if label not in shapes or value is None:
            continue
        shape = np.shape(value)
        if shape != shapes[label] and not (label == "stress" and shape in ((9,), (3, 3))):
            raise LabelError(f"{name}: {label} have the shape {shape}, not {shapes[label]}")
        if np.isinf(value).any():
            raise LabelError(f"{name}: {label} not finite")


def _what_there_is(frames: Sequence[Atoms], index: int) -> str:
    """The end of a sentence about a frame without labels: which key, or what ASE expects."""
    words = in_words([frames[index]], "energy") + in_words([frames[index]], "forces")
    return words or (
        "; ASE expects 'energy' and 'forces' among the results of its calculator (extxyz: energy= "
        "and Properties=...:forces:R:3)"
    )


def _counted(what: str, indices: Sequence[int]) -> str:
    return f"{len(indices)} without {what} (first: {indices[0]})"


def energy_of(atoms: Atoms) -> float:
    """Energy of a frame in eV; NaN where it has none."""
    energy = results_of(atoms).get("energy")
    return np.nan if energy is None else float(energy)


def energies(frames: Sequence[Atoms]) -> Float[np.ndarray, " frames"]:
    """Energies in eV; NaN where a frame has none."""
    return np.array([energy_of(atoms) for atoms in frames])


def forces(frames: Sequence[Atoms]) -> Float[np.ndarray, "atoms 3"]:
    """Forces of all atoms of all frames in eV/Å; NaN where missing, zero on single atoms."""
    return np.concatenate([_forces(atoms) for atoms in frames]).reshape(-1, 3)


def _forces(atoms: Atoms) -> Float[np.ndarray, "atoms 3"]:
    given = results_of(atoms).get("forces")
    if given is None:
        return np.full((len(atoms), 3), 0.0 if len(atoms) == 1 else np.nan)
    given = np.array(given, dtype=float)
    given[~np.isfinite(given).all(1)] = np.nan  # an atom has a force or none
    return given


def stress_of(atoms: Atoms) -> Float[np.ndarray, "3 3"]:
    """Stress of a frame in eV/Å^3."""
    stress = np.asarray(results_of(atoms)["stress"], dtype=float)
    return stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3) if stress.shape == (6,) else (
        stress.reshape(3, 3)
    )  # fmt: skip


def has_stress(atoms: Atoms) -> bool:
    """Whether a frame, periodic in all directions, is labelled with its stress."""
    stress = results_of(atoms).get("stress")
    return bool(atoms.pbc.all()) and stress is not None and bool(np.isfinite(stress).all())


def digest_of(frames: Sequence[Atoms]) -> str:
    """A short name of frames and their labels, in their order."""
    arrays = [array for a in frames for array in (a.numbers, a.positions, forces([a]))]
    return digest(*arrays, energies(frames))


def sketch_of(frames: Sequence[Atoms]) -> list[float]:
    """Sums of places and labels with random signs: near those of the same frames from a text file.

    Returns:
        Four numbers; those of n rounded values differ by about their rounding, others by far more.
    """
    arrays = [array for a in frames for array in (a.numbers, a.positions, forces([a]))]
    given = np.nan_to_num(
        np.concatenate([np.ravel(array) for array in (*arrays, energies(frames))])
    )
    signs = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), (4, len(given)))
    return [float(np.sum(row * given) / np.sqrt(len(given))) for row in signs]


def complete(atoms: Atoms) -> bool:
    """Whether a frame has an energy, and forces of all atoms."""
    return bool(np.isfinite(energy_of(atoms)) and np.isfinite(forces([atoms])).all())


def subset_of(atoms: Atoms) -> str:
    """Name of the subset that a frame belongs to: info "subset", else "config_type"."""
    return str(atoms.info.get("subset", atoms.info.get("config_type", "all")))


def is_isolated(atoms: Atoms) -> bool:
    """Whether a frame is an isolated atom: one atom without neighbours or near images."""
    return isolated.is_isolated(atoms)


def isolated_energies(
    frames: Sequence[Atoms], given: Mapping[int | str, float] | str | None = None
) -> dict[int, float]:
    """Energies of the isolated atoms in eV: given, of single atoms, or by least squares.

    Least squares fit them to the differences between compositions; the energies of the table's
    one-atom rows are then a convention, and a LabelWarning says so unless `given` is "average".

    Raises:
        LabelError: two energies of one element contradict each other.
        ArgumentError: `given` is neither a mapping to numbers nor "average".
    """
    elements = sorted({int(z) for a in frames for z in a.numbers})
    known = known_isolated_energies(frames, given)
    frames = [a for a in frames if np.isfinite(energy_of(a))]
    missing = [z for z in elements if z not in known]
    if missing:
        if not isinstance(given, str):
            warnings.warn(
                "no isolated-atom energies for "
                + ", ".join(chemical_symbols[z] for z in missing)
                + (
                    ": taken from a least-squares fit to the total energies, so they are a "
                    "convention; "
                    if frames
                    else ", nor any energy: zero, so that energies of a composition mean nothing "
                    "but their differences, which follow from the forces; "
                )
                + 'add single-atom frames or pass isolated_energies ("average" if that is what you '
                "want)",
                LabelWarning,
                stacklevel=4,  # the caller of `fit`, whose decorator is one level
            )
        counts = np.array([[(a.numbers == z).sum() for z in elements] for a in frames], float)
        counts = counts.reshape(len(frames), len(elements))
        of_known = counts @ np.array([known.get(z, 0.0) for z in elements])
        columns = [elements.index(z) for z in missing]
        solution = np.zeros(len(columns))
        if frames:
            solution = np.linalg.lstsq(counts[:, columns], energies(frames) - of_known)[0]
        known |= dict(zip(missing, solution.tolist(), strict=True))
    return {z: known[z] for z in elements}


def known_isolated_energies(
    frames: Sequence[Atoms], given: Mapping[int | str, float] | str | None = None
) -> dict[int, float]:
    """As `isolated_energies`, without those that nothing says."""
    known = _of_frames(frames)
    for z, value in _given(given).items():
        if z in known and abs(known[z] - value) > CONTRADICTION:
            raise LabelError(
                f"isolated_energies gives {value:g} eV for {chemical_symbols[z]}, but its frame of "
                f"one atom says {known[z]:g} eV; give one of them"
            )
        known[z] = value
    return known


def _of_frames(frames: Sequence[Atoms]) -> dict[int, float]:
    """Energies of the frames of one isolated atom, by atomic number."""
    known: dict[int, tuple[int, float]] = {}
    for index, atoms in enumerate(frames):
        isolated.check_marks(atoms, f"training data, frame {index}")
        if not is_isolated(atoms) or not np.isfinite(energy_of(atoms)):
            continue
        z, energy = int(atoms.numbers[0]), energy_of(atoms)
        first, before = known.setdefault(z, (index, energy))
        if abs(energy - before) > CONTRADICTION:
            raise LabelError(
                f"frames {first} and {index} are both an isolated {chemical_symbols[z]} atom, with "
                f"{before:g} and {energy:g} eV; keep the one of the ground state"
            )
    return {z: energy for z, (_, energy) in known.items()}


def _given(given: Mapping[int | str, float] | str | None) -> dict[int, float]:
    """Energies that the user gives, by atomic number."""
    if given is None or (isinstance(given, str) and given.strip().lower() == "average"):
        return {}
    if not isinstance(given, Mapping):
        raise ArgumentError(
            f'isolated_energies is a mapping such as {{"H": -13.6}}, or "average", not {given!r}'
        )
    found: dict[int, float] = {}
    for key, value in given.items():
        try:
            energy = float(value)
        except (TypeError, ValueError):
            energy = np.nan
        if not np.isfinite(energy):
            raise ArgumentError(f"isolated_energies[{key!r}] is an energy in eV, not {value!r}")
        z = atomic_number(key)
        if abs(found.setdefault(z, energy) - energy) > CONTRADICTION:
            raise ArgumentError(
                f"isolated_energies gives {found[z]:g} and {energy:g} eV for {chemical_symbols[z]}"
            )
    return found


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
