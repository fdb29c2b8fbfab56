"""What every potential must satisfy, as functions that anyone can call on his own."""

from __future__ import annotations

import numpy as np
import torch
from ase import Atoms

from interpmd.potentials.potential import Potential
from interpmd.systems import _search


def check_potential(potential: Potential, atoms: Atoms, seed: int = 0) -> None:
    """Check one potential on one structure.

    Checked: energies unchanged by translation, rotation, inversion and permutation, forces
    turning along; forces (and stress, where periodic) equal to numerical derivatives; net force
    and torque; a batch equal to its structures one by one; the dense list of neighbours equal to
    the searched one.

    Raises:
        AssertionError: naming what fails and by how much.
    """
    for check in (_symmetries, _derivatives, _conservation, _batches, _neighbour_lists):
        check(potential, atoms, np.random.default_rng(seed))


def _close(found, expected, name: str, tolerance: float = 1e-8) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    error = np.abs(found - expected).max(initial=0.0)
    scale = 1 + np.abs(expected).max(initial=0.0)
    if not error <= tolerance * scale:
        raise AssertionError(f"{name}: off by {error:.3g} of {scale:.3g}")


def _predict(potential: Potential, atoms: Atoms) -> tuple[float, np.ndarray]:
    found = potential.predict(atoms)
    return float(found.energy[0]), found.forces.double().numpy()


def _symmetries(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    energy, forces = _predict(potential, atoms)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]  # proper or improper
    for name, rotation in {"rotation": turn, "inversion": -np.eye(3)}.items():
        moved = atoms.copy()
        moved.positions = atoms.positions @ rotation.T + rng.normal(size=3)
        moved.cell = np.asarray(atoms.cell) @ rotation.T
        other, turned = _predict(potential, moved)
        _close(other, energy, f"energy under {name}")
        _close(turned, forces @ rotation.T, f"forces under {name}")
    order = rng.permutation(len(atoms))
    other, permuted = _predict(potential, atoms[order])
    _close(other, energy, "energy under permutation")
    _close(permuted, forces[order], "forces under permutation")


def _derivatives(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    _, forces = _predict(potential, atoms)
    direction, step = rng.normal(size=(len(atoms), 3)), 1e-4
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions += sign * step * direction
        energies.append(_predict(potential, moved)[0])
    slope = (energies[0] - energies[1]) / (2 * step)
    _close(-(forces * direction).sum(), slope, "forces against numerical derivative", 1e-5)
    if atoms.pbc.all():
        stress = potential.predict(atoms, stress=True).stress[0].double().numpy()
        strain = rng.normal(size=(3, 3))
        strain, energies = (strain + strain.T) / 2, []
        for sign in (1, -1):
            moved = atoms.copy()
            deform = np.eye(3) + sign * 1e-5 * strain
            moved.set_cell(np.asarray(atoms.cell) @ deform, scale_atoms=True)
            energies.append(_predict(potential, moved)[0])
        slope = (energies[0] - energies[1]) / 2e-5 / atoms.get_volume()
        _close((stress * strain).sum(), slope, "stress against numerical derivative", 1e-5)


def _conservation(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    _, forces = _predict(potential, atoms)
    _close(forces.sum(0), 0, "net force", 1e-9 * (1 + np.abs(forces).max()))
    if not atoms.pbc.any():
        torque = np.cross(atoms.positions, forces).sum(0)
        _close(torque, 0, "net torque", 1e-8 * (1 + np.abs(forces).max()))


def _batches(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    other = atoms.copy()
    other.rattle(0.05, rng=rng)
    found = potential.predict([atoms, other, atoms[:1]] if not atoms.pbc.any() else [atoms, other])
    for index, single in enumerate((atoms, other)):
        energy, forces = _predict(potential, single)
        _close(float(found.energy[index]), energy, "energy in a batch")
        part = found.forces[index * len(atoms) : (index + 1) * len(atoms)]
        _close(part.double().numpy(), forces, "forces in a batch")


def _neighbour_lists(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    if atoms.pbc.any() or potential.cutoff == 0:
        return
    batch = potential.batch(atoms)
    dense, searched = potential.neighbours(batch), _search(batch, potential.cutoff)
    with torch.no_grad():
        _close(
            potential.site_energies(batch, searched).double().numpy(),
            potential.site_energies(batch, dense).double().numpy(),
            "site energies with a searched list of neighbours",
        )
