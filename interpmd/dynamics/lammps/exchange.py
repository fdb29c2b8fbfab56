"""Forces on ghosts go home: from the rank that has the ghost to the rank that has the atom."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interpmd.dynamics.lammps.kernels import add_rows


class GhostExchange:
    """Who has to be told what, until LAMMPS makes new neighbour lists.

    No rank knows where all atoms are: the owner of an atom stands in a directory that is spread
    over the ranks by the remainder of its number.

    Args:
        world: communicator of MPI.
        tags: numbers of local and ghost atoms, shape (atoms,).
        local: how many are local.
    """

    def __init__(self, world: Any, tags: Int[np.ndarray, " atoms"], local: int) -> None:
        self.world, self.tags, self.local = world, tags.copy(), local
        own, ghosts = self.tags[:local], self.tags[local:]
        owner = self._owners(own, ghosts)
        self._order = local + np.argsort(owner, kind="stable")
        self._sent = np.bincount(owner, minlength=world.size)
        asked = world.alltoall(np.split(self.tags[self._order], np.cumsum(self._sent)[:-1]))
        self._received = np.array([len(each) for each in asked])
        place = np.argsort(own)
        wanted = np.concatenate(asked)
        self._rows = place[np.searchsorted(own, wanted, sorter=place)]

    def holds(self, tags: Int[np.ndarray, " atoms"], local: int) -> bool:
        """Whether it is still for these atoms."""
        return local == self.local and np.array_equal(tags, self.tags)

    def add(self, forces: Float[np.ndarray, "atoms 3"]) -> None:
        """Add to each local atom what ranks computed for its ghosts; all ranks together."""
        from mpi4py import MPI

        sent = np.ascontiguousarray(forces[self._order])
        received = np.empty((len(self._rows), 3))
        self.world.Alltoallv(
            [sent, 3 * self._sent, MPI.DOUBLE], [received, 3 * self._received, MPI.DOUBLE]
        )
        add_rows(forces, self._rows, received)

    def _owners(self, own: np.ndarray, ghosts: np.ndarray) -> np.ndarray:
        size = self.world.size

        def at_home(tags: np.ndarray) -> list[np.ndarray]:
            return [tags[tags % size == rank] for rank in range(size)]

        told = self.world.alltoall(at_home(own))
        known = np.concatenate(told)
        ranks = np.repeat(np.arange(size), [len(each) for each in told])
        order = np.argsort(known)
        asked = self.world.alltoall(at_home(ghosts))
        answers = [ranks[order][np.searchsorted(known, each, sorter=order)] for each in asked]
        answered = self.world.alltoall(answers)
        owner = np.empty(len(ghosts), np.int64)
        for rank, answer in enumerate(answered):
            owner[ghosts % size == rank] = answer
        return owner
