"""Structures as immutable batches of tensors, and what makes one usable.

Units: positions and cells in Å. A batch holds molecules and periodic cells of any shape side by
side; every field states its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interpmd.errors import StructureError, UnknownElementError
from interpmd.structures.charges import charge_of, stated_charge
from interpmd.structures.files import Structures, as_frames

#: Å; structures whose centre lies farther out are moved to the origin in single precision.
FAR = 10.0


@dataclass(frozen=True)
class Batch:
    """Structures side by side.

    Attributes:
        numbers: atomic numbers, shape (atoms,).
        positions: Å, shape (atoms, 3).
        cells: row vectors in Å, shape (structures, 3, 3); zero for molecules.
        pbc: periodic directions, shape (structures, 3).
        structure: index of the structure that each atom belongs to, ascending, shape (atoms,).
        charges: total charge of each structure in e, shape (structures,).

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> batch = im.Batch.from_ase([molecule("H2O"), molecule("CO")])
        >>> batch.numbers.tolist(), batch.structure.tolist()
        ([8, 1, 1, 8, 6], [0, 0, 0, 1, 1])
    """

    numbers: Int[Tensor, " atoms"]
    positions: Float[Tensor, "atoms 3"]
    cells: Float[Tensor, "structures 3 3"]
    pbc: Bool[Tensor, "structures 3"]
    structure: Int[Tensor, " atoms"]
    charges: Float[Tensor, " structures"]

    @classmethod
    def from_ase(
        cls,
        structures: Structures,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Batch:
        """Build a batch from one or several structures, or files of them (see `read_frames`).

        In single precision structures that lie more than `FAR` from the origin are moved there:
        at 1e5 Å its steps are 0.008 Å, and forces would be wrong by tenths of eV/Å.

        The total charge is what the structure says; see `interpmd.structures.charges`.

        Raises:
            StructureError: empty structure, NaN or infinite positions, singular periodic cell,
                an atomic number that no element has, a charge that is not a number.
        """
        frames = as_frames(structures)
        for index, atoms in enumerate(frames):
            check_structure(atoms, name=f"structure {index}" if len(frames) > 1 else "structure")
        counts = [len(atoms) for atoms in frames]
        cells = np.stack([np.asarray(atoms.cell) * atoms.pbc.any() for atoms in frames])
        return cls(
            numbers=torch.as_tensor(np.concatenate([a.numbers for a in frames]), device=device),
            positions=torch.as_tensor(
                np.concatenate([_placed(a.positions, dtype) for a in frames]),
                dtype=dtype,
                device=device,
            ),
            cells=torch.as_tensor(cells, dtype=dtype, device=device),
            pbc=torch.as_tensor(np.stack([a.pbc for a in frames]), device=device),
            structure=torch.as_tensor(np.repeat(np.arange(len(frames)), counts), device=device),
            charges=torch.tensor([charge_of(a) for a in frames], dtype=dtype, device=device),
        )

    def to_ase(self) -> list[Atoms]:
        """The structures as `ase.Atoms`, in order."""
        frames = []
        for index in range(self.n_structures):
            members = (self.structure == index).cpu().numpy()
            frames.append(
                Atoms(
                    numbers=self.numbers.cpu().numpy()[members],
                    positions=self.positions.detach().cpu().double().numpy()[members],
                    cell=self.cells[index].detach().cpu().double().numpy(),
                    pbc=self.pbc[index].cpu().numpy(),
                )
            )
            if charge := float(self.charges[index]):
                frames[-1].info["charge"] = charge
        return frames

    def to(
        self, dtype: torch.dtype | None = None, device: torch.device | str | None = None
    ) -> Batch:
        """The same structures in another floating-point type or on another device.

        In single precision what lies far out is moved to the origin; see `from_ase`.
        """
        if dtype == torch.float32 and self.positions.dtype == torch.float64:
            counts = torch.bincount(self.structure, minlength=self.n_structures)
            parts = self.positions.split(counts.tolist())
            if any(_centre(p) is not None for p in parts):
                near = [p if (c := _centre(p)) is None else p - c for p in parts]
                return self.with_positions(torch.cat(near)).to(dtype, device)
        moved = {
            name: value.to(
                device=device,
                dtype=dtype if value.is_floating_point() else None,
            )
            for name, value in self.__dict__.items()
        }
        return Batch(**moved)

    def with_positions(self, positions: Float[Tensor, "atoms 3"]) -> Batch:
        """The same structures with other positions (Å)."""
        return replace(self, positions=positions)

    @property
    def n_atoms(self) -> int:
        return self.numbers.shape[0]

    @property
    def n_structures(self) -> int:
        return self.cells.shape[0]

    @property
    def periodic(self) -> bool:
        """Whether any structure repeats in any direction."""
        return bool(self.pbc.any())


def check_structure(atoms: Atoms, name: str = "structure") -> None:
    """Raise a StructureError that names the problem if `atoms` cannot be used for anything."""
    if len(atoms) == 0:
        raise StructureError(f"{name} is empty: it has no atoms")
    last = len(chemical_symbols) - 1
    if (bad := np.flatnonzero((atoms.numbers < 1) | (atoms.numbers > last))).size:
        raise StructureError(
            f"{name}: atom {bad[0]} has atomic number {atoms.numbers[bad[0]]}; give it an element "
            f"(1 to {last}) or remove it"
        )
    finite = np.isfinite(atoms.positions).all(axis=1)
    if not finite.all():
        atom = int(np.flatnonzero(~finite)[0])
        raise StructureError(
            f"{name}: position of atom {atom} ({atoms.symbols[atom]}) is not finite: "
            f"{atoms.positions[atom]}"
        )
    stated_charge(atoms, name)
    if atoms.pbc.any():
        cell = np.asarray(atoms.cell)
        periodic = cell[atoms.pbc]
        if not np.isfinite(cell).all():
            raise StructureError(f"{name}: the cell is not finite: {cell.tolist()}")
        lengths = np.linalg.norm(periodic, axis=1)
        rank = np.linalg.matrix_rank(periodic / np.maximum(lengths, 1e-12)[:, None], tol=1e-4)
        if lengths.min() < 1e-6 or rank < len(periodic):
            raise StructureError(
                f"{name}: the cell is singular in its periodic directions "
                f"(pbc={atoms.pbc.tolist()}, cell={cell.tolist()}); give it three independent "
                "vectors or switch pbc off"
            )


def atomic_number(element: int | str) -> int:
    """Atomic number of an element given by symbol or number ("8", as in JSON, is a number too).

    Raises:
        UnknownElementError: no element has this symbol or number.
    """
    if isinstance(element, str) and not element.isdigit():
        number = atomic_numbers.get(element, 0)
    else:
        number = int(element)
    if not 0 < number < len(chemical_symbols):
        raise UnknownElementError(f"{element!r} is not an element; give a symbol or a number")
    return number


def check_elements(numbers: Int[Tensor, " atoms"], elements: Sequence[int], name: str) -> None:
    """Raise UnknownElementError for the first atom whose element is not among `elements`."""
    known = set(elements)
    for atom, number in enumerate(numbers.tolist()):
        if number not in known:
            symbols = ", ".join(chemical_symbols[z] for z in sorted(known))
            raise UnknownElementError(
                f"atom {atom} is {chemical_symbols[number]}, but {name} knows only {symbols}"
            )


def sum_by_structure(values: Float[Tensor, " atoms"], batch: Batch) -> Float[Tensor, " structures"]:
    """Per-atom values summed over the atoms of each structure."""
    return values.new_zeros(batch.n_structures).index_add(0, batch.structure, values)


def _placed(
    positions: Float[np.ndarray, "atoms 3"], dtype: torch.dtype
) -> Float[np.ndarray, "atoms 3"]:
    """Positions as a type can hold them: near the origin unless it is double."""
    if dtype == torch.float64:
        return positions
    centre = _centre(torch.from_numpy(positions))
    return positions if centre is None else positions - centre.numpy()


def _centre(positions: Float[Tensor, "atoms 3"]) -> Float[Tensor, " 3"] | None:
    """The centre of a structure if it lies far from the origin, else None."""
    if not len(positions):
        return None
    centre = positions.detach().mean(0)
    return centre if float(centre.abs().max()) > FAR else None
