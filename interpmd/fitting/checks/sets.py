"""What does not belong together: copies, test frames in the training data, levels, charges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding, named
from interpmd.structures.charges import stated_charge, stated_multiplicity
from interpmd.structures.chemistry import bonds

#: Frames whose distances differ by less than this (Å) are one structure.
SAME = 1e-4

#: Energies (eV) of one structure that differ by more contradict each other.
CONTRADICTION = 0.02

#: Words in the info of a frame for its level of theory.
LEVELS = ("level", "level_of_theory", "theory", "functional", "xc", "method")

#: Part of the frames that may be copies without a word.
SOME = 0.03


def check_copies(frames: Sequence[Atoms]) -> list[Finding]:
    """Copies of frames, and copies whose energies contradict each other."""
    many = [i for i, a in enumerate(frames) if len(a) > 1 or a.pbc.any()]
    pairs = [(many[i], many[j]) for i, j in _copies([frames[k] for k in many])]
    if not pairs:
        return []
    energies = data.energies(frames)
    gap = np.array([abs(energies[i] - energies[j]) for i, j in pairs])
    wrong = [pair for pair, g in zip(pairs, gap, strict=True) if g > CONTRADICTION]
    if wrong:
        i, j = wrong[int(np.argmax(gap[gap > CONTRADICTION]))]
        what = (
            f"frames {i} and {j} are one structure with two energies, {energies[i]:.6g} and "
            f"{energies[j]:.6g} eV"
        )
        if len(wrong) > 1:
            what += f" ({len(wrong)} such pairs)"
        advice = "see whether they differ in level, charge, multiplicity or unit, and keep one"
        return [Finding("copies", what, advice, tuple(sorted({*sum(wrong, ())})), "error")]
    extra = sorted({j for _, j in pairs})
    if len(many) - len(extra) < 2:
        return [
            Finding(
                "copies",
                f"all {len(many)} frames are copies of one structure",
                "give structures that differ",
                tuple(many),
                "error",
            )
        ]
    if len(extra) < SOME * len(many):
        return []
    return [
        Finding(
            "copies",
            f"{len(extra)} of {len(many)} frames are copies of others: {named(extra)}",
            "they count twice, and one may judge what another taught; keep one of each",
            tuple(extra),
        )
    ]


def check_overlap(
    train: Sequence[Atoms],
    others: Mapping[str, Sequence[Atoms]],
    where: str = "in the training data",
) -> list[Finding]:
    """Frames of the test or validation set that are training frames as well; `where` in words."""
    found = []
    base = [a for a in train if len(a) > 1 or a.pbc.any()]
    for name, frames in others.items():
        many = [i for i, a in enumerate(frames) if len(a) > 1 or a.pbc.any()]
        both = base + [frames[i] for i in many]
        shared = {j for i, j in _copies(both) if i < len(base) <= j}
        if shared:
            indices = sorted(many[j - len(base)] for j in shared)
            found.append(
                Finding(
                    "overlap",
                    f"{len(indices)} of {len(many)} {name} frames are {where}: {named(indices)}",
                    "their errors say nothing about new frames; take them out of one of the sets",
                    tuple(indices),
                )
            )
    return found


def check_levels(
    train: Sequence[Atoms], others: Mapping[str, Sequence[Atoms]], level: str | None
) -> list[Finding]:
    """Levels of theory that are mixed; refused where frames of one composition have two.

    Args:
        train: training frames. others: of the other sets, by name.
        level: what the user says that all of them are.
    """
    levels = [_word(a, LEVELS) for a in train]
    known = Counter(x for x in levels if x)
    found = []
    if len(known) > 1:
        formulas: dict[str, set[str]] = {}
        for atoms, own in zip(train, levels, strict=True):
            if own:
                formulas.setdefault(atoms.get_chemical_formula(), set()).add(own)
        clash = sorted(f for f, own in formulas.items() if len(own) > 1)
        words = ", ".join(f"{name} ({n} frames)" for name, n in known.most_common())
        what = f"the frames are of {len(known)} levels of theory: {words}"
        if clash:
            what += f"; {clash[0]} is labelled at more than one of them"
        advice = "keep one level, or say level= if they are one by different names"
        severe = bool(clash) and level is None
        found.append(Finding("levels", what, advice, weight="error" if severe else "warning"))
    usual = known.most_common(1)[0][0] if known else None
    for name, frames in others.items():
        strange = [i for i, a in enumerate(frames) if _word(a, LEVELS) not in {None, *known}]
        if usual and strange and level is None:
            found.append(
                Finding(
                    "levels",
                    f"{named(strange)} of the {name} set are of level "
                    f"{_word(frames[strange[0]], LEVELS)}, the training data of {usual}",
                    "errors between two levels say nothing about the fit",
                    tuple(strange),
                )
            )
    return found


def check_states(frames: Sequence[Atoms]) -> list[Finding]:
    """Charges and multiplicities that contradict each other.

    A potential of positions cannot tell apart two charges of one composition. Nor two
    multiplicities, where the atoms hold together: pieces that have come apart have others.
    """
    found = []
    for word, state in (("charge", stated_charge), ("multiplicity", stated_multiplicity)):
        states: dict[str, dict[float, list[int]]] = {}
        for index, atoms in enumerate(frames):
            if (value := state(atoms, f"training data, frame {index}")) is None:
                continue
            if word == "charge" or len(atoms) == 1 or _holds_together(atoms):
                formula = atoms.get_chemical_formula()
                states.setdefault(formula, {}).setdefault(value, []).append(index)
        clash = {formula: own for formula, own in states.items() if len(own) > 1}
        if not clash:
            continue
        formula, own = next(iter(clash.items()))
        words = " and ".join(f"{value:g} in {named(i)}" for value, i in sorted(own.items()))
        rare = min(own.values(), key=len)
        found.append(
            Finding(
                "states",
                f"{formula} has more than one {word}: {words}; a potential that sees positions "
                "alone cannot tell them apart",
                f"keep one {word} of each composition",
                tuple(rare),
                "error",
            )
        )
    return found


def _holds_together(atoms: Atoms) -> bool:
    """Whether bonds lead from every atom to every other."""
    pairs = bonds(atoms).pairs
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(atoms), len(atoms)))
    return connected_components(graph, directed=False)[0] == 1


def _word(atoms: Atoms, names: Sequence[str]) -> str | None:
    """A level as it is compared: without case and spaces."""
    for name in names:
        if isinstance(value := atoms.info.get(name), str) and value.strip():
            return value.strip().lower().replace(" ", "")
    return None


def _copies(frames: Sequence[Atoms]) -> list[tuple[int, int]]:
    """Pairs of frames that are one structure, moved or (molecules) turned."""
    groups: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(frames):
        cell = np.round(atoms.cell.array[atoms.pbc], 3) + 0.0
        key = (np.bincount(atoms.numbers).tobytes(), atoms.pbc.tobytes(), cell.tobytes())
        groups.setdefault(key, []).append(index)
    found = []
    for members in groups.values():
        if len(members) < 2:
            continue
        shapes = np.array([_shape(frames[i]) for i in members])
        close = cKDTree(shapes).query_pairs(SAME * np.sqrt(shapes.shape[1]), output_type="ndarray")
        # a chain of copies counts as copies of its first frame
        first = {}
        for i, j in sorted(map(tuple, close.tolist())):
            first.setdefault(j, first.get(i, i))
        found += [(members[i], members[j]) for j, i in first.items()]
    return sorted(found)


def _shape(atoms: Atoms) -> np.ndarray:
    """What does not change as a structure is moved, or (molecules) turned."""
    order = np.argsort(atoms.numbers, kind="stable")
    if atoms.pbc.any():
        scaled = atoms.get_scaled_positions(wrap=False)
        moved = scaled - scaled[:1]
        moved = np.where(atoms.pbc, moved - np.round(moved), moved)
        return (moved @ atoms.cell.complete().array)[order].ravel()
    positions = atoms.positions - atoms.positions.mean(0)
    radius = np.linalg.norm(positions, axis=1)
    heavy = np.linalg.norm(positions - positions[order[0]], axis=1)
    parts = [np.sort(radius[atoms.numbers == z]) for z in np.unique(atoms.numbers)]
    return np.concatenate([*parts, heavy[order]])
