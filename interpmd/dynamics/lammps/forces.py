"""Energies and forces of the atoms of one rank, by LAMMPS' ghosts and neighbour lists."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.data import atomic_numbers
from jaxtyping import Float

from interpmd.dynamics.lammps import last_words
from interpmd.dynamics.lammps.exchange import GhostExchange
from interpmd.dynamics.lammps.kernels import add_slopes, gather_edges
from interpmd.errors import MissingPackageError, SimulationError, StructureError
from interpmd.potentials import fast
from interpmd.potentials.fast.neighbours import Sites, closest
from interpmd.potentials.potential import Potential
from interpmd.potentials.watch import GradeWatch
from interpmd.structures.edges import CLOSEST_APPROACH

#: Energy of LAMMPS' units in eV, where lengths are in Å.
ENERGY = {"metal": 1.0, "real": units.kcal / units.mol}

#: Steps between looks at the extrapolation grade, and atoms up to which it is looked at.
LOOK_EVERY, LOOK_AT_MOST = 1000, 3000

#: Name of the fix that holds the forces.
FIX = "interpmd"


class RankForces:
    """What `fix external` calls in every step.

    Each rank evaluates the sites of its own atoms; forces on ghosts are sent to those who have the
    atoms. Terms that depend on the whole structure, and those without a fast form, are evaluated
    for all atoms by every rank.

    Args:
        lammps: with a box, atoms, and `pair_style zero` with a full list.
        potential: the potential.
        elements: symbol of each type of LAMMPS.
        world: communicator of MPI.
        precision: "float64" or "float32".

    Attributes:
        seconds: processor time of this rank's own sites until now. least: of one step.

    Raises:
        MissingPackageError: numba is not installed.
        SimulationError: units that are neither metal nor real, or other elements than types.
        UnknownElementError: an element that the potential does not know.
    """

    def __init__(
        self,
        lammps: Any,
        potential: Potential,
        elements: Sequence[str],
        world: Any,
        precision: str = "float64",
    ) -> None:
        self._lammps, self._potential, self._world = lammps, potential, world
        ready = fast.ready(potential, precision)
        if ready is None:
            raise MissingPackageError(
                "LAMMPS needs a potential that runs as generated code, and numba: "
                "pip install 'interpmd[fast]'"
            )
        self._fast = ready
        self._unit = _unit(lammps.extract_global("units"))
        types = lammps.extract_global("ntypes")
        if len(elements) != types:
            raise SimulationError(
                f"pair_coeff names {len(elements)} elements and the box has {types} types of "
                "atoms; name the element of each type in order: pair_coeff * * O H"
            )
        self._numbers = np.array([0, *(atomic_numbers[symbol] for symbol in elements)])
        potential.batch(Atoms(numbers=self._numbers[1:], positions=_apart(types)))  # raises
        function = lammps.lib.lammps_neighlist_element_neighbors
        self._function = ctypes.cast(function, ctypes.c_void_p).value
        self._handle = ctypes.cast(lammps.lmp, ctypes.c_void_p).value
        self._neighbour, self._vectors = np.empty(0, np.int64), np.empty((0, 3))
        self._exchange: GhostExchange | None = None
        self._watch, self._calls = GradeWatch(once=True), 0
        self.seconds, self.least = 0.0, float("inf")

    def __call__(
        self, caller: Any, step: int, local: int, tags: np.ndarray, x: np.ndarray, f: np.ndarray
    ) -> None:
        """Forces on local atoms, energy and virial; ends all ranks where it cannot go on."""
        try:
            self._evaluate(local, f)
        except BaseException as error:  # LAMMPS takes no errors of Python, and other ranks wait
            last_words.leave(self._world.rank, error, f"step {step}: ")
            self._world.Abort(2)

    def _evaluate(self, local: int, f: Float[np.ndarray, "local 3"]) -> None:
        lammps = self._lammps
        total = local + lammps.extract_global("nghost")
        x = lammps.numpy.extract_atom("x", nelem=total)
        tags = lammps.numpy.extract_atom("id", nelem=total)
        numbers = self._numbers[lammps.numpy.extract_atom("type", nelem=total)]
        started = time.process_time()
        energy, forces, virial = self._own(local, x, tags, numbers)
        spent = time.process_time() - started
        self.seconds, self.least = self.seconds + spent, min(self.least, spent)
        if self._fast.beyond_sites:
            energy += self._beyond_sites(local, x, tags, numbers, forces, virial)
        fits = self._exchange is not None and self._exchange.holds(tags, local)
        summed = self._sum(np.array([energy, *_six(-virial), not fits]))
        if summed[-1] or self._exchange is None:
            self._exchange = GhostExchange(self._world, tags, local)
        self._exchange.add(forces)
        f[:] = forces[:local] / self._unit
        lammps.fix_external_set_energy_global(FIX, float(summed[0]) / self._unit)
        lammps.fix_external_set_virial_global(FIX, (summed[1:7] / self._unit).tolist())
        self._look(local, x, tags, numbers)

    def _own(
        self, local: int, x: np.ndarray, tags: np.ndarray, numbers: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Energy of the sites of this rank, their forces on all of its atoms, and dE/dstrain."""
        first, centre = np.empty(local + 1, np.int64), np.empty(local, np.int64)
        while True:
            count = gather_edges(
                self._function,
                self._handle,
                self._lammps.find_pair_neighlist("zero"),
                x,
                self._fast.cutoff,
                first,
                centre,
                self._neighbour,
                self._vectors,
            )
            if count <= len(self._neighbour):
                break
            room = count + count // 4
            self._neighbour, self._vectors = np.empty(room, np.int64), np.empty((room, 3))
        neighbour, vectors = self._neighbour[:count], self._vectors[:count]
        if closest(vectors) < CLOSEST_APPROACH:
            edge = int(np.linalg.norm(vectors, axis=1).argmin())
            site = int(np.searchsorted(first, edge, side="right")) - 1
            raise StructureError(
                f"atoms {tags[centre[site]]} and {tags[neighbour[edge]]} of LAMMPS are "
                f"{np.linalg.norm(vectors[edge]):.3g} Å apart, closer than nuclei ever come; the "
                "structure is far from the training data, or the timestep is too long"
            )
        sites = Sites(vectors, first, numbers[centre], numbers[neighbour])
        energies, slopes = self._fast.on_sites(sites)
        forces, virial = np.zeros((len(x), 3)), np.zeros((3, 3))
        add_slopes(vectors, first, centre, neighbour, slopes, forces, virial)
        return float(energies.sum()), forces, virial

    def _beyond_sites(
        self,
        local: int,
        x: np.ndarray,
        tags: np.ndarray,
        numbers: np.ndarray,
        forces: np.ndarray,
        virial: np.ndarray,
    ) -> float:
        """Add the forces of terms that need all atoms; energy and virial count on one rank."""
        atoms, known = self._whole(local, x, tags, numbers)
        energies, of_all, strained = self._fast.on_whole(atoms)
        forces[:local] += of_all[np.searchsorted(known, tags[:local])]
        if self._world.rank:
            return 0.0
        virial += strained
        return float(energies.sum())

    def _whole(
        self, local: int, x: np.ndarray, tags: np.ndarray, numbers: np.ndarray
    ) -> tuple[Atoms, np.ndarray]:
        """All atoms in the order of their numbers, and these numbers; all ranks together."""
        parts = self._world.allgather((tags[:local].copy(), numbers[:local], x[:local].copy()))
        known, kinds, places = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.argsort(known)
        low, high, xy, yz, xz, periodic, _ = self._lammps.extract_box()
        (a, b, c) = np.subtract(high, low)
        cell = [[a, 0, 0], [xy, b, 0], [xz, yz, c]]
        pbc = [bool(direction) for direction in periodic]
        atoms = Atoms(numbers=kinds[order], positions=places[order] - low, cell=cell, pbc=pbc)
        return atoms, known[order]

    def _look(self, local: int, x: np.ndarray, tags: np.ndarray, numbers: np.ndarray) -> None:
        """Warn once, on the first rank, of what the training data never showed."""
        self._calls += 1
        small = self._lammps.get_natoms() <= LOOK_AT_MOST
        if small and self._calls % LOOK_EVERY == 1 and self._potential.n_samples:
            atoms, _ = self._whole(local, x, tags, numbers)
            if self._world.rank == 0:
                self._watch.look(self._potential, atoms)

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Sums over all ranks."""
        total = np.empty_like(values)
        self._world.Allreduce(values, total)
        return total


def _unit(name: str) -> float:
    if name not in ENERGY:
        raise SimulationError(f"units {name}: interpmd gives forces in metal or real units")
    return ENERGY[name]


def _six(tensor: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, " 6"]:
    """xx, yy, zz, xy, xz, yz, as LAMMPS orders them."""
    symmetric = (tensor + tensor.T) / 2
    return symmetric[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]


def _apart(count: int) -> np.ndarray:
    """Places at which atoms have nothing to do with each other."""
    return np.arange(count)[:, None] * np.array([[100.0, 0, 0]])
