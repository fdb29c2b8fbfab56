"""Energy and forces of one molecule as one compiled function of its positions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from scipy.spatial.distance import pdist, squareform
from torch import Tensor
from torch.fx.experimental.const_fold import split_const_subgraphs
from torch.fx.experimental.proxy_tensor import make_fx

from interpmd.errors import ArgumentError, StructureError
from interpmd.potentials.sum import TermSum
from interpmd.structures.systems import CLOSEST_APPROACH, environments


class CompiledMolecule:
    """Site energies and forces of molecules with one and the same composition.

    Energy and gradient are traced together into one graph (`make_fx`) and compiled by
    TorchInductor; another composition is traced anew.

    Args:
        potential: the potential; local terms only.

    Raises:
        ValueError: the potential has terms that depend on the whole structure.
    """

    def __init__(self, potential: TermSum) -> None:
        if potential.global_terms:
            names = ", ".join(potential.global_terms)
            raise ArgumentError(f"only local terms can be compiled; {names} depend on all atoms")
        self.potential = potential
        self._numbers: np.ndarray | None = None
        self._function = None

    def __call__(self, atoms: Atoms) -> tuple[Tensor, Tensor]:
        """Site energies in eV, shape (atoms,), and forces in eV/A, shape (atoms, 3).

        Raises:
            StructureError: positions not finite, or atoms on top of each other.
        """
        if self._numbers is None or not np.array_equal(atoms.numbers, self._numbers):
            self._trace(atoms)
        _check(atoms)
        positions = torch.as_tensor(
            atoms.positions, dtype=self.potential.dtype, device=self.potential.device
        )
        return self._function(positions)

    def _trace(self, atoms: Atoms) -> None:
        batch = self.potential.batch(atoms)
        pairs = self.potential.neighbours(batch)
        env, terms = environments(batch, pairs), self.potential.local_terms.values()

        def energy_and_forces(positions: Tensor) -> tuple[Tensor, Tensor]:
            positions = positions.detach().requires_grad_(True)
            vectors = positions[pairs.neighbour] - positions[pairs.centre]
            sites = torch.stack([term(replace(env, vectors=vectors)) for term in terms]).sum(0)
            (gradient,) = torch.autograd.grad(sites.sum(), positions)
            return sites.detach(), -gradient

        graph = make_fx(energy_and_forces)(batch.positions)
        graph = split_const_subgraphs(graph)
        graph.run_folding()
        self._function = torch.compile(graph, dynamic=False)
        self._numbers = atoms.numbers.copy()


def _check(atoms: Atoms) -> None:
    if not np.isfinite(atoms.positions).all():
        atom = int(np.argwhere(~np.isfinite(atoms.positions))[0, 0])
        raise StructureError(f"position of atom {atom} is not finite: {atoms.positions[atom]}")
    if len(atoms) > 1 and (distances := pdist(atoms.positions)).min() < CLOSEST_APPROACH:
        square = squareform(distances) + 9.0 * np.eye(len(atoms))
        i, j = np.unravel_index(square.argmin(), square.shape)
        names = [f"{chemical_symbols[atoms.numbers[a]]}{a}" for a in (i, j)]
        raise StructureError(
            f"atoms {names[0]} and {names[1]} are {distances.min():.3g} A apart, closer than "
            "nuclei ever come; remove the duplicate or check the units (angstrom)"
        )
