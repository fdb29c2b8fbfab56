"""Check that forces are minus the gradients of the energies, in the right units."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import scipy.linalg
import torch
from ase import Atoms
from ase.units import Bohr, Hartree, kcal, mol

from interpmd.errors import LabelError, LabelWarning
from interpmd.fitting.labels import complete, energies, forces
from interpmd.fitting.normal import quick, rows_of
from interpmd.potentials.expansion import ClusterExpansion

#: Ratios that wrong units produce between true energy differences and those from the forces.
WRONG_UNITS = {
    -1.0: "the forces seem to have the wrong sign (gradients); multiply them by -1",
    Hartree / Bohr: f"the forces seem to be in Hartree/bohr; multiply them by {Hartree / Bohr:.4f}",
    Hartree: f"the forces seem to be in Hartree/Å; multiply them by {Hartree:.4f}",
    1 / Hartree: f"the energies seem to be in Hartree; multiply them by {Hartree:.4f}",
    kcal / mol: "the forces seem to be in kcal/mol/Å; multiply them by 0.043364",
    mol / kcal: "the energies seem to be in kcal/mol; multiply them by 0.043364",
    1 / Bohr: "the forces seem to be in eV/bohr; multiply them by 1.8897",
}


def check_consistency(frames: Sequence[Atoms], seed: int = 0, most: int = 120) -> float | None:
    """Check that forces are minus the gradients of the energies, in eV and Å.

    A small potential is fitted to the forces alone and asked for the energy differences between
    frames of one composition and one cell (forces do not determine what a change of the cell
    costs). The slope of the true differences against these reveals wrong signs and units.

    Returns:
        The slope (1 where all is well), or None if the data do not determine it.

    Raises:
        LabelError: naming the wrong sign or unit.
    """
    groups: dict[tuple, list[Atoms]] = {}
    for atoms in frames:
        if len(atoms) > 1 and complete(atoms):
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
            "the units (eV and eV/Å)",
            LabelWarning,
            stacklevel=4,  # the caller of `fit`, whose decorator is one level
        )
    return slope


def _comparable(atoms: Atoms) -> tuple:
    """A key that is the same for frames whose difference in energy the forces determine."""
    cell = np.round(np.asarray(atoms.cell)[atoms.pbc], 2) + 0.0
    return tuple(sorted(atoms.numbers)), tuple(atoms.pbc), tuple(cell.ravel())


def quick_energies(frames: Sequence[Atoms], seed: int) -> np.ndarray:
    """Energies of frames, up to a constant, from a small expansion fitted to their forces only."""
    elements = sorted({int(z) for a in frames for z in a.numbers})
    term = ClusterExpansion(
        elements, lmax=2, channels=(16, 16, 12), basis=5, functions=12, seed=seed
    )
    single = quick(term)
    designs = [rows_of(single, atoms) for atoms in frames]
    rows = torch.cat([d.forces.flatten(0, 1) for d in designs]).double().numpy()
    scale = np.sqrt((rows**2).mean(0)) + 1e-12
    rows = rows / scale
    normal = rows.T @ rows
    normal[np.diag_indices_from(normal)] += 1e-5 * len(rows)
    weights = scipy.linalg.solve(normal, rows.T @ forces(frames).ravel(), assume_a="pos")
    return torch.cat([d.energy for d in designs]).double().numpy() @ (weights / scale)


def _distance(slope: float, ratio: float) -> float:
    """Difference of two ratios on a logarithmic scale; infinite if their signs differ."""
    return abs(np.log(slope / ratio)) if slope * ratio > 0 else np.inf
