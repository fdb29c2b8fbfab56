"""Energies whose zero is each molecule's own.

A force field says how the geometries of one molecule differ, not how molecules do. Where it is
corrected, the mean energy of the frames of a molecule would teach the correction what the force
field never meant. So the mean has a weight of its own, of w / sqrt(atoms), and the differences
between the frames keep theirs. With a constant for each molecule, integrated out under a normal
prior, that is

    X^T X - sum over molecules of (1 - p/W) / W s s^T,   s = sum of w_i^2 x_i,   W = sum of w_i^2

where x_i are the rows of its energies, w_i their weights and p = w^2 / atoms the weight that is
left for the mean (Gelman and others, Bayesian Data Analysis, chapter 15: varying intercepts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd.fitting.normal import NormalEquations
from interpmd.fitting.targets import Targets
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.structures.edges import environments, neighbours
from interpmd.structures.systems import Batch


def molecule_of(atoms: Atoms) -> str:
    """Of which molecule a frame is: info "molecule", else its formula."""
    return str(atoms.info.get("molecule", atoms.get_chemical_formula()))


@dataclass
class Zero:
    """What the energies of one molecule say of its mean.

    Attributes:
        row: sum of rows times squared weights, in scaled columns, shape (weights,).
        value: the same of the targets.
        weight: sum of squared weights.
        atoms: of the molecule.
    """

    row: Float[np.ndarray, " weights"]
    value: float
    weight: float
    atoms: int

    def kept(self, mean_weight: float) -> float:
        """The squared weight that is left for the mean."""
        return min(mean_weight**2 / self.atoms, self.weight)

    def shift(self, mean: Float[np.ndarray, " weights"], mean_weight: float) -> float:
        """The likeliest constant of the molecule under a read-out, in eV."""
        missed = (self.value - float(self.row @ mean)) / self.weight
        return (1.0 - self.kept(mean_weight) / self.weight) * missed


def free_zeros(
    equations: NormalEquations,
    term: ClusterExpansion,
    frames: Sequence[Atoms],
    targets: Sequence[Targets],
    mean_weight: float,
) -> dict[str, Zero]:
    """Take from the equations what the mean energies of molecules say beyond their weight.

    Args:
        equations: which hold these frames.
        term: the expansion, in double precision.
        frames, targets: see `NormalEquations.add`.
        mean_weight: of a mean, times the square root of the number of atoms, in 1/Å.

    Returns:
        What the energies say of the mean of each molecule.
    """
    zeros: dict[str, Zero] = {}
    for atoms, target in zip(frames, targets, strict=True):
        square = target.energy_weight**2
        if not square or not np.isfinite(target.energy):
            continue
        row = energy_row(term, atoms) / equations.scale * square
        name = molecule_of(atoms)
        zero = zeros.setdefault(name, Zero(np.zeros_like(row), 0.0, 0.0, len(atoms)))
        zero.row += row
        zero.value += square * target.energy
        zero.weight += square
    for zero in zeros.values():
        factor = np.sqrt((1.0 - zero.kept(mean_weight) / zero.weight) / zero.weight)
        equations.remove(factor * zero.row[None], np.array([factor * zero.value]))
    return zeros


def energy_row(term: ClusterExpansion, atoms: Atoms) -> Float[np.ndarray, " weights"]:
    """Derivative of the energy of a frame by the weights of the read-out."""
    batch = Batch.from_ase(atoms)
    features = term.features(environments(batch, neighbours(batch, term.cutoff))).detach()
    sums = torch.zeros(len(term.elements), term.n_features, dtype=features.dtype)
    sums.index_add_(0, term.species[batch.numbers], features)
    return sums.flatten().numpy()[term.columns]


def with_zeros(
    frames: Sequence[Atoms],
    targets: Sequence[Targets],
    zeros: dict[str, Zero],
    mean: Float[np.ndarray, " weights"],
    mean_weight: float,
) -> list[Targets]:
    """Targets less the likeliest constants of their molecules."""
    shifts = {name: zero.shift(mean, mean_weight) for name, zero in zeros.items()}
    return [
        replace(target, energy=target.energy - shifts.get(molecule_of(atoms), 0.0))
        for atoms, target in zip(frames, targets, strict=True)
    ]


def centred(
    frames: Sequence[Atoms],
    targets: Sequence[Targets],
    rows: Sequence[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of frames as `weighted_rows` makes them, energies less their mean over each molecule."""
    molecules: dict[str, list[int]] = {}
    for index, (atoms, target) in enumerate(zip(frames, targets, strict=True)):
        if target.energy_weight and np.isfinite(target.energy):
            molecules.setdefault(molecule_of(atoms), []).append(index)
    found = [(x.copy(), y.copy()) for x, y in rows]
    for members in molecules.values():
        weights = np.array([targets[k].energy_weight for k in members])
        row = np.mean([rows[k][0][0] / w for k, w in zip(members, weights, strict=True)], axis=0)
        value = np.mean([rows[k][1][0] / w for k, w in zip(members, weights, strict=True)])
        for k, weight in zip(members, weights, strict=True):
            found[k][0][0] -= (weight * row).astype(found[k][0].dtype)
            found[k][1][0] -= weight * value
    return found
