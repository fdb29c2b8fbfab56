"""Batches as padded arrays, which the libraries of physics terms expect."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import StructureError
from interpmd.structures.systems import Batch, check_elements

#: Bohr radius in Å and Hartree in eV (CODATA 2018, as in ASE).
BOHR, HARTREE = 0.529177210903, 27.211386245988

#: The last element that the libraries have parameters for: lawrencium.
HEAVIEST = 103


def per_atom(
    batch: Batch, term: str, energy: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Float[Tensor, " atoms"]:
    """Site energies in eV from a function of padded numbers, positions (bohr) and charges.

    Evaluated in float64 whatever the type of the batch: charges solve a linear system, and in
    float32 the forces would have errors of 3e-4 eV/Å.

    Args:
        batch: molecules.
        term: name for the error message.
        energy: takes (structures, places), (structures, places, 3) and (structures,), returns
            Hartree of shape (structures, places); empty places have atomic number 0.

    Raises:
        StructureError: the batch is periodic.
        UnknownElementError: an element beyond `HEAVIEST`.
    """
    if batch.periodic:
        raise StructureError(
            f"{term} is for molecules only, and the structure is periodic; use a potential "
            f"without {term}"
        )
    check_elements(batch.numbers, range(1, HEAVIEST + 1), term)
    dtype, batch = batch.positions.dtype, batch.to(dtype=torch.float64)
    counts = torch.bincount(batch.structure, minlength=batch.n_structures)
    first = torch.cumsum(counts, 0) - counts
    place = torch.arange(batch.n_atoms, device=first.device) - first[batch.structure]
    width = int(counts.max())
    numbers = batch.numbers.new_zeros(batch.n_structures, width)
    numbers = numbers.index_put((batch.structure, place), batch.numbers)
    positions = batch.positions.new_zeros(batch.n_structures, width, 3)
    positions = positions.index_put((batch.structure, place), batch.positions / BOHR)
    energies = HARTREE * energy(numbers, positions, batch.charges)[batch.structure, place]
    return energies.to(dtype)
