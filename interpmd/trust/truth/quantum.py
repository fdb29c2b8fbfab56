"""Quantum truth: the many-body expansion of the reference method itself, beside the potential's.

For a set S of molecules of a cluster, alone in vacuum with the geometry that they have in it,

    n-body contribution(S) = E(S) − sum over proper subsets T of S: n-body contribution(T)

(Hankins, Moskowitz and Stillinger, J. Chem. Phys. 53, 4544 (1970), equation 1; Xantheas, J. Chem.
Phys. 100, 7523 (1994), equations 2–6). For the reference method this takes a calculation of every
subset; for the potential it is the sum of the rows of the table that touch exactly the molecules
of S, and both are obtained here in the same way, from energies and forces of the subsets.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.units import kcal, mol
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import ArgumentError, InterpmdError, StructureError
from interpmd.keywords import renamed
from interpmd.potentials.potential import Potential
from interpmd.reference.clusters import molecules_of
from interpmd.reference.labelling import label
from interpmd.structures.charged_parts import formal_charges, part_of, with_fragment_charges
from interpmd.structures.charges import charge_of
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.threads import one_thread
from interpmd.trust.truth.agreement import QuantumTruth, root_mean_square

#: eV in one kcal/mol.
KCAL_MOL = kcal / mol

#: Subsets of molecules that the potential evaluates together.
AT_ONCE = 32

#: A set of molecules, by their places in the cluster.
Subset = tuple[int, ...]

#: Energy (eV), then the forces on all atoms of the cluster (eV/Å), in one vector.
Values = Float[np.ndarray, " one_and_components"]


@renamed(method="level")
def quantum_truth(
    potential: Potential,
    frames: Structures,
    level: str = "gfn2-xtb",
    order: int = 4,
    out: str | Path | None = None,
    progress: bool = True,
    fragment_charges: Sequence[float] | None = None,
) -> QuantumTruth:
    """Compare the potential's n-body contributions of molecules with those of quantum chemistry.

    Args:
        potential: a potential that was fitted to that level; evaluated in float64.
        frames: clusters of molecules, without periodic directions; those of one molecule are
            left out.
        level: of theory of the reference; see `interpmd.label`.
        order: largest number of molecules in a set; the energy of a larger cluster that its sets
            leave over is one remainder.
        out: extxyz file that keeps the quantum results; calling again goes on from it.
        progress: whether to show a progress bar.
        fragment_charges: in e, of each molecule, the same in all frames; of each frame by Lewis
            structures if None. Sets of molecules have the sum.

    Raises:
        StructureError: a periodic frame, or none with two molecules.
        FragmentError: a charged frame whose molecules have charges that are not known.
        ValueError: order below 2.
        InterpmdError: the calculation failed for a set of molecules.
    """
    arguments.of_class(Potential, potential=potential)
    if order < 2:
        raise ArgumentError(
            f"order is the largest number of molecules in a set, 2 or more, not {order}"
        )
    frames = read_frames(frames)
    groups = [molecules_of(atoms) for atoms in frames]
    if any(atoms.pbc.any() for atoms in frames):
        raise StructureError("the many-body expansion takes clusters, not periodic structures")
    kept = [(i, a, g) for i, (a, g) in enumerate(zip(frames, groups, strict=True)) if len(g) > 1]
    if not kept:
        raise StructureError("none of the frames has two molecules")
    subsets = [subsets_of(len(groups), order) for _, _, groups in kept]
    parts = []
    for (_, atoms, groups), chosen in zip(kept, subsets, strict=True):
        frame = atoms
        if fragment_charges is not None:
            frame = with_fragment_charges(atoms, groups, fragment_charges, charge_of(atoms))
        charges = formal_charges(frame)
        parts += [part_of(frame, _members(groups, subset), charges) for subset in chosen]
    quantum = iter(_quantum(parts, level, out, progress))
    model = iter(_model(parts, potential, progress))
    lines: list[dict] = []
    for (index, atoms, groups), chosen in zip(kept, subsets, strict=True):
        expansions = [
            many_body_expansion(
                {s: _whole(next(source), _members(groups, s), len(atoms)) for s in chosen}
            )
            for source in (quantum, model)
        ]
        lines += _lines(index, groups, order, *expansions)
    return QuantumTruth(level, order, pd.DataFrame(lines))


def subsets_of(count: int, order: int) -> list[Subset]:
    """All sets of up to `order` of `count` molecules, the smaller ones first, and the whole."""
    sizes = sorted({*range(1, min(order, count) + 1), count})
    return [subset for size in sizes for subset in combinations(range(count), size)]


def many_body_expansion(values: Mapping[Subset, Values]) -> dict[Subset, Values]:
    """What each set contributes beyond those of its proper subsets that are there.

    Args:
        values: of sets, the smaller ones first; any arrays of one shape.
    """
    contributions: dict[Subset, Values] = {}
    for subset, value in values.items():
        proper = (s for n in range(1, len(subset)) for s in combinations(subset, n))
        contributions[subset] = value - sum(contributions.get(s, 0.0) for s in proper)
    return contributions


def _lines(
    frame: int,
    groups: list[list[int]],
    order: int,
    quantum: dict[Subset, Values],
    model: dict[Subset, Values],
) -> list[dict]:
    lines = []
    for subset in quantum:
        if len(subset) < 2:
            continue
        on = _members(groups, subset)
        forces = [source[subset][1:].reshape(-1, 3)[on] for source in (quantum, model)]
        lines.append(
            {
                "frame": frame,
                "molecules": len(groups),
                "fragments": subset,
                "order": len(subset) if len(subset) <= order else 0,
                "quantum": quantum[subset][0] / KCAL_MOL,
                "potential": model[subset][0] / KCAL_MOL,
                "quantum_force": root_mean_square(forces[0]),
                "force_error": root_mean_square(forces[1] - forces[0]),
            }
        )
    return lines


def _quantum(
    parts: list[Atoms], level: str, out: str | Path | None, progress: bool
) -> list[tuple[float, np.ndarray]]:
    labelled = label(parts, level, out=out, progress=progress)
    if len(labelled) < len(parts):
        raise InterpmdError(
            f"{level} failed on {len(parts) - len(labelled)} of {len(parts)} sets of molecules; "
            "leave out the frames that the warning names"
        )
    return [(a.get_potential_energy(), a.get_forces()) for a in labelled]


@one_thread()
def _model(
    parts: list[Atoms], potential: Potential, progress: bool
) -> list[tuple[float, np.ndarray]]:
    # differences of large energies lose digits, so that they are taken in float64
    precise = copy.deepcopy(potential).double()
    results: list[tuple[float, np.ndarray]] = []
    with tqdm(total=len(parts), desc="potential", unit="set", disable=not progress) as bar:
        for start in range(0, len(parts), AT_ONCE):
            some = parts[start : start + AT_ONCE]
            predicted = precise.predict_unwatched(some)
            forces = predicted.forces.split([len(a) for a in some])
            results += [
                (float(e), f.numpy()) for e, f in zip(predicted.energy, forces, strict=True)
            ]
            bar.update(len(some))
    return results


def _members(groups: list[list[int]], subset: Subset) -> list[int]:
    return [atom for molecule in subset for atom in groups[molecule]]


def _whole(part: tuple[float, np.ndarray], members: list[int], n_atoms: int) -> Values:
    """Energy and forces of a set as one vector, zero on the atoms outside."""
    forces = np.zeros((n_atoms, 3))
    forces[members] = part[1]
    return np.concatenate([[part[0]], forces.ravel()])
