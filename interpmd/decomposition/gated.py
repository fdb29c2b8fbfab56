"""A potential as a differentiable function of gates: the bridge to generic explainers.

A gate between 0 and 1 scales an interaction between absent and full, an alchemical path along
which every intermediate state is physically meaningful. Explainers that know nothing of atoms
see an ordinary torch function of the gates.
"""

from __future__ import annotations

import copy
from functools import cached_property

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.decomposition import Decomposition
from interpmd.errors import ArgumentError
from interpmd.potentials.potential import Potential
from interpmd.structures.edges import Environments, within

#: Sites that are evaluated together, over all sets of gates.
SITES_AT_ONCE = 2048


class GatedPotential:
    """Energy and forces of one structure as functions of gates on its edges or atoms.

    Edge gates: one per pair of neighbours (and image); it scales what each of the two contributes
    to the environment of the other. Atom gates: one per atom; it scales what the atom contributes
    to all environments, and its own site energy, so that an atom with gate 0 is absent.

    Terms that depend on the whole structure have no edges. With atom gates they follow the
    multilinear extension of their own rows (Owen, Manag. Sci. 18, 64 (1972)): every row times the
    gates of its atoms.

    Args:
        potential: evaluated in float64.
        atoms: one structure.

    Raises:
        StructureError, UnknownElementError: it cannot be evaluated.

    Attributes:
        edges: pairs of atoms (i, j), i <= j, shape (edges, 2).
        shifts: periodic image of j in cell vectors, shape (edges, 3).
    """

    def __init__(self, potential: Potential, atoms: Atoms) -> None:
        self.potential = copy.deepcopy(potential).double()
        self.atoms = atoms
        self.batch = self.potential.batch(atoms)
        self.edges, self.shifts = np.zeros((0, 2), dtype=int), np.zeros((0, 3), dtype=int)
        if self.potential.local_terms:
            self.pairs = self.potential.neighbours(self.batch)
            self._number_edges()

    def _number_edges(self) -> None:
        """One number for both directions of an edge."""
        centre, neighbour, shifts = (
            t.cpu().numpy() for t in (self.pairs.centre, self.pairs.neighbour, self.pairs.shifts)
        )
        forward = np.column_stack([centre, neighbour, shifts])
        backward = np.column_stack([neighbour, centre, -shifts])
        swap = _less(backward, forward)
        named = np.where(swap[:, None], backward, forward)
        unique, index = np.unique(named, axis=0, return_inverse=True)
        self.edges, self.shifts = unique[:, :2], unique[:, 2:]
        self.edge_of = torch.as_tensor(index.reshape(-1))

    def sites(
        self,
        edge_gates: Float[Tensor, "sets edges"] | None = None,
        atom_gates: Float[Tensor, "sets atoms"] | None = None,
        positions: Float[Tensor, "sets atoms 3"] | None = None,
    ) -> Float[Tensor, "sets atoms"]:
        """Site energies in eV of the local terms, differentiable in all arguments.

        Raises:
            ArgumentError: both kinds of gates or neither.
        """
        given = _one_of(edge_gates, atom_gates)
        count, n_atoms = len(given), self.batch.n_atoms
        if positions is None:
            positions = self.batch.positions.detach().expand(count, -1, -1)
        if not self.potential.local_terms:
            return positions.new_zeros(count, n_atoms)
        shift = self.pairs.shifts.to(positions) @ self.batch.cells[0]
        vectors = positions[:, self.pairs.neighbour] - positions[:, self.pairs.centre] + shift
        gates = given[:, self.pairs.neighbour if edge_gates is None else self.edge_of]
        offset = torch.arange(count)[:, None] * n_atoms
        env = Environments(
            vectors=vectors.flatten(0, 1),
            centre=(self.pairs.centre + offset).flatten(),
            centre_numbers=self.batch.numbers.repeat(count),
            neighbour_numbers=self.batch.numbers[self.pairs.neighbour].repeat(count),
            degree=self.pairs.degree,
            gates=gates.flatten().to(vectors),
        )
        terms = [
            term(within(env, term.cutoff, self.potential.cutoff))
            for term in self.potential.local_terms.values()
        ]
        sites = torch.stack(terms).sum(0).unflatten(0, (count, n_atoms))
        return sites if atom_gates is None else sites * atom_gates

    def values(
        self,
        energy: Float[Tensor, " components"],
        forces: Float[Tensor, "components atoms 3"],
        edge_gates: Float[Tensor, "sets edges"] | None = None,
        atom_gates: Float[Tensor, "sets atoms"] | None = None,
    ) -> Float[Tensor, "sets components"]:
        """energy * E + forces . F for each set of gates, differentiable in the gates.

        Args:
            energy, forces: coefficients of the energy (eV) and of the forces (eV/Å).
            edge_gates, atom_gates: one of them.

        Raises:
            ArgumentError: both or neither; edge gates although a term has no edges.
        """
        given = _one_of(edge_gates, atom_gates)
        if edge_gates is not None and self.potential.global_terms:
            names = ", ".join(self.potential.global_terms)
            raise ArgumentError(f"{names} depends on the whole structure and has no edges to gate")
        at_once = max(1, SITES_AT_ONCE // self.batch.n_atoms)
        parts = []
        for start in range(0, len(given), at_once):
            part = given[start : start + at_once]
            kind = {"edge_gates" if edge_gates is not None else "atom_gates": part}
            parts.append(self._values(energy, forces, kind))
        values = torch.cat(parts)
        if atom_gates is not None and self.potential.global_terms:
            values = values + self._of_rows(energy, forces, atom_gates)
        return values

    @cached_property
    def _global_rows(self) -> Decomposition:
        """The table of the terms that depend on the whole structure."""
        terms = dict(self.potential.global_terms)
        return decompose(Potential(terms, self.potential.elements), self.atoms)

    def _values(self, energy: Tensor, forces: Tensor, kind: dict[str, Tensor]) -> Tensor:
        (gates,) = kind.values()
        with_forces = bool((forces != 0).any())
        positions = self.batch.positions.detach().repeat(len(gates), 1, 1)
        if not with_forces:
            return self.sites(**kind, positions=positions).sum(1)[:, None] * energy
        with torch.enable_grad():
            positions.requires_grad_(True)
            total = self.sites(**kind, positions=positions).sum(1)
            slope = torch.zeros_like(positions)
            if total.requires_grad:
                (gradient,) = torch.autograd.grad(
                    total.sum(), positions, create_graph=gates.requires_grad, allow_unused=True
                )
                slope = slope if gradient is None else gradient
        values = total[:, None] * energy - torch.einsum("bax,cax->bc", slope, forces)
        return values if gates.requires_grad else values.detach()

    def _of_rows(self, energy: Tensor, forces: Tensor, gates: Tensor) -> Tensor:
        """The multilinear extension of the terms that depend on the whole structure."""
        table = self._global_rows
        if not len(table):
            return torch.zeros(len(gates), len(energy), dtype=torch.float64)
        values = torch.outer(torch.as_tensor(table.energies), energy)
        member = torch.as_tensor(table.member_forces)
        owner = torch.as_tensor(table.owner)
        along = torch.einsum("mx,cmx->mc", member, forces[:, torch.as_tensor(table.member_atoms)])
        values = values.index_add(0, owner, along)
        rows = [sorted(set(row.atoms)) for row in table]
        present = torch.stack([gates[:, row].prod(1) for row in rows], dim=1)
        return present @ values


def _one_of(edge_gates: Tensor | None, atom_gates: Tensor | None) -> Tensor:
    """The gates that are given.

    Raises:
        ArgumentError: both or neither.
    """
    if edge_gates is not None and atom_gates is None:
        return edge_gates
    if atom_gates is not None and edge_gates is None:
        return atom_gates
    raise ArgumentError("give either edge gates or atom gates")


def _less(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Row by row, whether the first is lexicographically smaller."""
    difference = np.sign(first - second)
    leading = np.argmax(difference != 0, axis=1)
    return np.take_along_axis(difference, leading[:, None], axis=1)[:, 0] < 0
