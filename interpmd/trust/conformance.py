"""What every potential must satisfy, as one function to call on any potential."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms

from interpmd import arguments
from interpmd.decomposition.gated import GatedPotential
from interpmd.potentials.base import LocalTerm
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential
from interpmd.potentials.watch import unwatched
from interpmd.structures.edges import search_neighbours
from interpmd.structures.files import Structures, one_structure


def check_potential(potential: Potential, atoms: Structures, seed: int = 0) -> None:
    """Check one potential on one structure.

    Checked: energies unchanged by translation, rotation, inversion and permutation, forces
    turning along; forces (and stress, where periodic) equal to numerical derivatives; net force
    and torque; a batch equal to its structures one by one, whatever their sizes; distant copies
    and supercells having their multiple of the energy; pair forces vanishing smoothly at the
    cutoff of every local term; the dense list of neighbours equal to the searched one; gates of 0
    and 1 the same as atoms that are absent and present; float32 close to float64; the same
    energies after saving and loading; generated code equal to torch.

    Args:
        potential: what to check.
        atoms: a structure that it knows, a molecule or a crystal.
        seed: of the random directions.

    Raises:
        AssertionError: naming what fails and by how much.
    """
    arguments.seeds(seed=seed)
    atoms = one_structure(atoms)
    for check in (
        _symmetries,
        _derivatives,
        _conservation,
        _batches,
        _extensivity,
        _cutoffs,
        _neighbour_lists,
        _precision,
        _gates,
        _round_trip,
        _generated_code,
    ):
        with unwatched():  # lone atoms and squeezed structures are no data
            check(potential, atoms, np.random.default_rng(seed))


def _close(actual, expected, name: str, tolerance: float = 1e-8) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    error = np.abs(actual - expected).max(initial=0.0)
    scale = 1 + np.abs(expected).max(initial=0.0)
    if not error <= tolerance * scale:
        raise AssertionError(f"{name}: off by {error:.3g} of {scale:.3g}")


def _predict(potential: Potential, atoms: Atoms) -> tuple[float, np.ndarray]:
    prediction = potential.predict(atoms)
    return float(prediction.energy[0]), prediction.forces.double().numpy()


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
    direction = rng.normal(size=(len(atoms), 3))

    def displaced(step: float) -> float:
        moved = atoms.copy()
        moved.positions += step * direction
        return _predict(potential, moved)[0]

    slope = _slope(displaced, 3e-4)
    _close(-(forces * direction).sum(), slope, "forces against numerical derivative", 1e-5)
    if not atoms.pbc.all():
        return
    stresses = potential.predict(atoms, stress=True).stress
    assert stresses is not None, "stress was asked for"
    stress = stresses[0].double().numpy()
    strain = rng.normal(size=(3, 3))
    strain = (strain + strain.T) / 2

    def strained(step: float) -> float:
        moved = atoms.copy()
        moved.set_cell(np.asarray(atoms.cell) @ (np.eye(3) + step * strain), scale_atoms=True)
        return _predict(potential, moved)[0] / atoms.get_volume()

    slope = _slope(strained, 2e-4)
    _close((stress * strain).sum(), slope, "stress against numerical derivative", 1e-5)


def _slope(energy: Callable[[float], float], step: float) -> float:
    """Derivative at 0 by a central difference of fourth order."""
    near, far = energy(step) - energy(-step), energy(2 * step) - energy(-2 * step)
    return (8 * near - far) / (12 * step)


def _conservation(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    _, forces = _predict(potential, atoms)
    _close(forces.sum(0), 0, "net force", 1e-9 * (1 + np.abs(forces).max()))
    if not atoms.pbc.any():
        torque = np.cross(atoms.positions, forces).sum(0)
        _close(torque, 0, "net torque", 1e-8 * (1 + np.abs(forces).max()))


def _batches(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    other = atoms.copy()
    other.rattle(0.05, rng=rng)
    first = atoms.repeat((2, 1, 1)) if atoms.pbc.any() else atoms[:1]
    frames = [first, atoms, other]
    together = potential.predict(frames)
    start = 0
    for index, single in enumerate(frames):
        energy, forces = _predict(potential, single)
        _close(float(together.energy[index]), energy, "energy in a batch")
        part = together.forces[start : start + len(single)]
        _close(part.double().numpy(), forces, "forces in a batch")
        start += len(single)


def _extensivity(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    energy, _ = _predict(potential, atoms)
    if atoms.pbc.any():
        axis = int(np.flatnonzero(atoms.pbc)[0])
        double = atoms.repeat([2 if direction == axis else 1 for direction in range(3)])
        _close(_predict(potential, double)[0], 2 * energy, "energy of a supercell")
        return
    double = atoms + atoms
    double.positions[len(atoms) :] += [300.0, 0, 0]
    # charge flows and dispersion reaches over any distance
    tolerance = 2e-3 if potential.global_terms else 1e-9
    _close(_predict(potential, double)[0], 2 * energy, "energy of distant copies", tolerance)


def _cutoffs(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    def force(term: LocalTerm, distance: float) -> float:
        pair = Atoms(atoms.numbers[[0, -1]], positions=[[0, 0, 0], [distance, 0, 0]])
        return float(Potential([term]).predict(pair).forces[1, 0])

    for name, term in potential.local_terms.items():
        if term.cutoff > 0:
            _close(force(term, term.cutoff + 1e-6), 0, f"force of {name} beyond its cutoff", 0)
            scale = 1 + abs(force(term, 0.9 * term.cutoff))
            close = force(term, term.cutoff - 1e-4)
            _close(close, 0, f"force of {name} just inside its cutoff", 1e-5 * scale)


def _neighbour_lists(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    if atoms.pbc.any() or potential.cutoff == 0:
        return
    batch = potential.batch(atoms)
    dense, searched = potential.neighbours(batch), search_neighbours(batch, potential.cutoff)
    with torch.no_grad():
        _close(
            potential.site_energies(batch, searched).double().numpy(),
            potential.site_energies(batch, dense).double().numpy(),
            "site energies with a searched list of neighbours",
        )


def _gates(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    potential = copy.deepcopy(potential).double()
    gated = GatedPotential(potential, atoms)
    size = len(atoms)
    energy, forces = torch.ones(1).double(), torch.zeros(1, size, 3).double()
    direction = torch.as_tensor(rng.normal(size=(1, size, 3)))
    present = rng.random(size) < 0.5
    present[rng.integers(size)] = True
    sets = torch.as_tensor(np.stack([np.ones(size), present, np.zeros(size)]))
    whole, _slopes = _predict(potential, atoms)
    energies = gated.values(energy, forces, atom_gates=sets)[:, 0]
    _close(float(energies[0]), whole, "energy with all gates open")
    _close(float(energies[2]), 0, "energy with all atoms gated away")
    if not potential.global_terms:  # those are truncated to rows of few atoms
        part, partial = _predict(potential, atoms[present])
        _close(float(energies[1]), part, "energy with gates of 0 and 1")
        along = float(gated.values(energy * 0, direction, atom_gates=sets)[1, 0])
        expected = float((direction[0, present].numpy() * partial).sum())
        _close(along, expected, "forces with gates of 0 and 1")
        edges = torch.stack([torch.ones(len(gated.edges)), torch.zeros(len(gated.edges))]).double()
        open_, shut = gated.values(energy, forces, edge_gates=edges)[:, 0].tolist()
        alone = sum(_predict(potential, _alone(atoms, i))[0] for i in range(size))
        _close(open_, whole, "energy with all edges open")
        _close(shut, alone, "energy with all edges gated away")
    all_open = sets[:1].clone().requires_grad_(True)
    along = gated.values(energy * 0, direction, atom_gates=all_open).sum()
    gradient = torch.zeros_like(all_open)
    if along.requires_grad:
        (gradient,) = torch.autograd.grad(along, all_open)
    step = torch.as_tensor(rng.normal(size=size))

    def moved(by: float) -> float:
        return float(gated.values(energy * 0, direction, atom_gates=sets[:1] + by * step))

    slope = _slope(moved, 1e-3)
    _close(float(gradient[0] @ step), slope, "derivative of the forces by the gates", 1e-5)


def _alone(atoms: Atoms, index: int) -> Atoms:
    """One atom, no longer periodic."""
    return Atoms(atoms.symbols[[index]], atoms.positions[[index]])


def _precision(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    energy, forces = _predict(potential, atoms)
    single = copy.deepcopy(potential).float()
    prediction = single.predict(potential.batch(atoms).to(dtype=torch.float32))
    types = prediction.energy.dtype, prediction.forces.dtype
    if types != (torch.float32, torch.float32):
        raise AssertionError(f"float32 becomes {types[0]}, {types[1]}")
    _close(float(prediction.energy[0]), energy, "energy in float32", 1e-4)
    _close(prediction.forces.double().numpy(), forces, "forces in float32", 1e-4)


def _round_trip(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        potential.save(f"{folder}/potential")
        again = load_potential(f"{folder}/potential")
    energy, forces = _predict(potential, atoms)
    other, reloaded = _predict(again, atoms)
    _close(other, energy, "energy after saving and loading", 0)
    _close(reloaded, forces, "forces after saving and loading", 0)


def _generated_code(potential: Potential, atoms: Atoms, rng: np.random.Generator) -> None:
    frames, stress = [atoms, atoms[:1]], bool(atoms.pbc.all())
    actual = potential.predict(frames, stress=stress)
    expected = potential.predict_by_torch(frames, stress=stress)
    for name in ("energy", "site_energies", "forces", *["stress"] * stress):
        one, other = (getattr(each, name).double().numpy() for each in (actual, expected))
        _close(one, other, f"{name} by generated code against torch", 1e-10)
