"""The sum of waves of smeared charges in numba; `interpmd.potentials.long_range` explains it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd.potentials.base import GlobalTerm
from interpmd.potentials.fast.call import kernel
from interpmd.potentials.long_range import LongRange, check_directions, waves
from interpmd.potentials.repulsion import COULOMB
from interpmd.structures.systems import check_elements


def long_range(
    term: LongRange, atoms: Atoms
) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
    """Site energies (eV), forces (eV/A) and virial (eV) of one structure.

    Raises:
        UnknownElementError: an atom without a charge.
        StructureError: periodic in one or two directions.
    """
    check_directions(atoms.pbc)
    if not np.isin(atoms.numbers, term.elements).all():
        check_elements(torch.as_tensor(atoms.numbers), term.elements or (), "the term long_range")
    charges = term.charges.numpy()[atoms.numbers]
    energies, forces = np.zeros(len(charges)), np.zeros((len(charges), 3))
    virial = np.zeros((3, 3))
    if not atoms.pbc.any():
        _in_vacuum(atoms.positions, charges, term.smearing, energies, forces)
        return energies, forces, virial
    cell = atoms.cell.array
    indices = waves(cell, term.smearing)
    most = np.abs(indices).max(initial=0)
    inverse = np.linalg.inv(cell)
    scaled = 2 * np.pi * atoms.positions @ inverse
    powers = np.exp(1j * scaled[:, :, None] * np.arange(most + 1))
    vectors = 2 * np.pi * indices @ inverse.T
    volume = abs(np.linalg.det(cell))
    _sum(indices, vectors, powers, charges, term.smearing, volume, energies, forces, virial)
    itself = COULOMB * math.sqrt(2 / math.pi) / term.smearing
    background = COULOMB * 2 * math.pi * term.smearing**2 / volume * charges.sum()
    energies -= 0.5 * charges * (itself * charges + background)
    virial += 0.5 * background * charges.sum() * np.eye(3)
    return energies, forces, virial


#: Terms of whole structures (exactly of these types) and what evaluates them.
WHOLE: dict[type[GlobalTerm], Callable] = {LongRange: long_range}


@kernel
def _in_vacuum(positions, charges, smearing, energies, forces):
    width = math.sqrt(2.0) * smearing
    slope_factor = 2 / math.sqrt(math.pi) / width
    for i in range(len(charges)):
        for j in range(i):
            x = positions[i, 0] - positions[j, 0]
            y = positions[i, 1] - positions[j, 1]
            z = positions[i, 2] - positions[j, 2]
            r = math.sqrt(x * x + y * y + z * z)
            product = COULOMB * charges[i] * charges[j]
            value = math.erf(r / width) / r
            energies[i] += 0.5 * product * value
            energies[j] += 0.5 * product * value
            slope = product * (slope_factor * math.exp(-((r / width) ** 2)) - value) / (r * r)
            for axis, along in enumerate((x, y, z)):
                forces[i, axis] -= slope * along
                forces[j, axis] += slope * along


@kernel
def _sum(indices, vectors, powers, charges, smearing, volume, energies, forces, virial):
    n = len(charges)
    phase = np.empty(n, np.complex128)
    for w in range(len(indices)):
        a, b, c = indices[w, 0], indices[w, 1], indices[w, 2]
        x, y, z = vectors[w, 0], vectors[w, 1], vectors[w, 2]
        square = x * x + y * y + z * z
        total = 0j
        for i in range(n):
            first = powers[i, 0, a]  # a is never negative
            second = powers[i, 1, b] if b >= 0 else powers[i, 1, -b].conjugate()
            third = powers[i, 2, c] if c >= 0 else powers[i, 2, -c].conjugate()
            phase[i] = first * second * third
            total += charges[i] * phase[i]
        # both of k and -k
        factor = 2 * COULOMB * 4 * math.pi * math.exp(-0.5 * smearing**2 * square) / square / volume
        for i in range(n):
            along = factor * charges[i]
            energies[i] += 0.5 * along * (phase[i].real * total.real + phase[i].imag * total.imag)
            slope = along * (phase[i].imag * total.real - phase[i].real * total.imag)
            forces[i, 0] += slope * x
            forces[i, 1] += slope * y
            forces[i, 2] += slope * z
        energy = 0.5 * factor * (total.real**2 + total.imag**2)
        narrow = 2 / square + smearing**2
        for p in range(3):
            virial[p, p] -= energy
            for q in range(3):
                virial[p, q] += energy * narrow * vectors[w, p] * vectors[w, q]
