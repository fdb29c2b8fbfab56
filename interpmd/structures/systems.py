"""Structures as immutable batches of tensors, and who is near whom.

Units: positions and cells in Å. A batch holds molecules and periodic cells of any shape
side by side; every field states its shape. The verbs (`neighbours`, `edge_vectors`) are free
functions, so that a potential reads like its equation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from ase.geometry import complete_cell
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interpmd.errors import StructureError, UnknownElementError

#: Two nuclei closer than this (Å) are treated as a mistake in the input.
CLOSEST_APPROACH = 0.25

#: Most periodic images per direction that a neighbour search may need.
MOST_IMAGES = 12


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
        structures: Atoms | Sequence[Atoms],
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Batch:
        """Build a batch from one or several `ase.Atoms`.

        The total charge is read from ``atoms.info["charge"]`` (0 where missing).

        Raises:
            StructureError: empty structure, NaN or infinite positions, singular periodic cell,
                an atomic number that no element has, a charge that is not a number.
        """
        frames = [structures] if isinstance(structures, Atoms) else list(structures)
        if not frames:
            raise StructureError("no structures given; pass one ase.Atoms or a list of them")
        for index, atoms in enumerate(frames):
            check_structure(atoms, name=f"structure {index}" if len(frames) > 1 else "structure")
        counts = [len(atoms) for atoms in frames]
        cells = np.stack([np.asarray(atoms.cell) * atoms.pbc.any() for atoms in frames])
        return cls(
            numbers=torch.as_tensor(np.concatenate([a.numbers for a in frames]), device=device),
            positions=torch.as_tensor(
                np.concatenate([a.positions for a in frames]), dtype=dtype, device=device
            ),
            cells=torch.as_tensor(cells, dtype=dtype, device=device),
            pbc=torch.as_tensor(np.stack([a.pbc for a in frames]), device=device),
            structure=torch.as_tensor(np.repeat(np.arange(len(frames)), counts), device=device),
            charges=torch.tensor([_charge(a) for a in frames], dtype=dtype, device=device),
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
        """The same structures in another floating-point type or on another device."""
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


@dataclass(frozen=True)
class Neighbours:
    """Ordered pairs of atoms within a cutoff; both directions of every pair, sorted by centre.

    Attributes:
        centre: atom at which an edge starts, ascending, shape (edges,).
        neighbour: atom at which it ends, shape (edges,).
        shifts: periodic image of the neighbour in units of the cell vectors, shape (edges, 3).
        cutoff: Å.
        degree: number of neighbours if all atoms have the same number (as in the list of all
            pairs of one small molecule), otherwise None.
    """

    centre: Int[Tensor, " edges"]
    neighbour: Int[Tensor, " edges"]
    shifts: Int[Tensor, "edges 3"]
    cutoff: float
    degree: int | None = None


@dataclass(frozen=True)
class Environments:
    """What a local term sees: sites, and the vectors from each site to its neighbours.

    Attributes:
        vectors: from centre to neighbour in Å, shape (edges, 3).
        centre: site that an edge belongs to, ascending, shape (edges,).
        centre_numbers: atomic number of each site, shape (sites,).
        neighbour_numbers: atomic number of each neighbour, shape (edges,).
        degree: number of edges of every site if it is the same for all, otherwise None.
        gates: how far each neighbour is present, from 0 (absent) to 1, shape (edges,); all are
            present if None.
    """

    vectors: Float[Tensor, "edges 3"]
    centre: Int[Tensor, " edges"]
    centre_numbers: Int[Tensor, " sites"]
    neighbour_numbers: Int[Tensor, " edges"]
    degree: int | None = None
    gates: Float[Tensor, " edges"] | None = None

    def gated(self, values: Float[Tensor, "edges ..."]) -> Float[Tensor, "edges ..."]:
        """Contributions of the neighbours, each times its gate."""
        if self.gates is None:
            return values
        return values * self.gates.view(-1, *[1] * (values.ndim - 1))

    @property
    def n_sites(self) -> int:
        return self.centre_numbers.shape[0]


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
    _charge(atoms, name)
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
        raise UnknownElementError(f"{element!r} is no element; give a symbol or an atomic number")
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


def neighbours(batch: Batch, cutoff: float) -> Neighbours:
    """All ordered pairs of atoms within `cutoff` Å, periodic images included.

    For one small molecule this is the list of all its pairs, whatever their distance, which does
    not depend on the positions; terms vanish beyond their own cutoff. Batches and periodic
    structures are searched by vesin (cell lists, linear in the number of atoms).

    Raises:
        StructureError: two atoms closer than `CLOSEST_APPROACH`, or a periodic cell so thin that
            the cutoff spans more than `MOST_IMAGES` of it.
    """
    if batch.n_structures == 1 and not batch.periodic and batch.n_atoms <= 64:
        result = _all_pairs(batch, cutoff)
    else:
        result = _search(batch, cutoff)
    _check_distances(batch, result)
    return result


def edge_vectors(batch: Batch, pairs: Neighbours) -> Float[Tensor, "edges 3"]:
    """Vectors from centre to neighbour in Å; differentiable in positions and cells."""
    vectors = batch.positions[pairs.neighbour] - batch.positions[pairs.centre]
    if batch.periodic:
        cells = batch.cells[batch.structure[pairs.centre]]
        vectors = vectors + torch.einsum("es,esx->ex", pairs.shifts.to(vectors.dtype), cells)
    return vectors


def environments(batch: Batch, pairs: Neighbours) -> Environments:
    """The sites of a batch, as local terms see them."""
    return Environments(
        vectors=edge_vectors(batch, pairs),
        centre=pairs.centre,
        centre_numbers=batch.numbers,
        neighbour_numbers=batch.numbers[pairs.neighbour],
        degree=pairs.degree,
    )


def sum_by_structure(values: Float[Tensor, " atoms"], batch: Batch) -> Float[Tensor, " structures"]:
    """Per-atom values summed over the atoms of each structure."""
    return values.new_zeros(batch.n_structures).index_add(0, batch.structure, values)


def _charge(atoms: Atoms, name: str = "structure") -> float:
    given = atoms.info.get("charge", 0)
    try:
        charge = float(given)
    except (TypeError, ValueError):
        charge = np.nan
    if not np.isfinite(charge):
        raise StructureError(f"{name}: info['charge'] is {given!r}; give the total charge in e")
    return charge


def _all_pairs(batch: Batch, cutoff: float) -> Neighbours:
    n, device = batch.n_atoms, batch.positions.device
    centre, neighbour = torch.nonzero(~torch.eye(n, dtype=torch.bool, device=device), as_tuple=True)
    shifts = torch.zeros(centre.shape[0], 3, dtype=torch.int64, device=device)
    return Neighbours(centre, neighbour, shifts, cutoff, degree=n - 1)


def _search(batch: Batch, cutoff: float) -> Neighbours:
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    counts = torch.bincount(batch.structure, minlength=batch.n_structures).tolist()
    parts, first = [], 0
    for index, count in enumerate(counts):
        positions = batch.positions[first : first + count].detach().cpu().double().numpy()
        pbc = batch.pbc[index].cpu().numpy()
        cell = batch.cells[index].detach().cpu().double().numpy()
        if pbc.any():
            cell = complete_cell(cell * pbc[:, None])
            _check_thickness(cell, pbc, cutoff)
        i, j, shifts = search.compute(positions, cell, periodic=pbc, quantities="ijS")
        parts.append((i.astype(np.int64) + first, j.astype(np.int64) + first, shifts))
        first += count
    centre, neighbour, shifts = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(centre, kind="stable")
    tensors = (
        torch.as_tensor(part[order].astype(np.int64), device=batch.positions.device)
        for part in (centre, neighbour, shifts)
    )
    return Neighbours(*tensors, cutoff=cutoff)


def _check_thickness(cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> None:
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    for axis in np.flatnonzero(pbc):
        if cutoff / widths[axis] > MOST_IMAGES:
            raise StructureError(
                f"the cell is only {widths[axis]:.3g} Å thick along vector {axis}, too small for "
                f"a cutoff of {cutoff} Å; are the cell vectors in Å?"
            )


def _check_distances(batch: Batch, pairs: Neighbours) -> None:
    if pairs.centre.numel() == 0:
        return
    distances = edge_vectors(batch, pairs).detach().norm(dim=1)
    closest = int(distances.argmin())
    if distances[closest] < CLOSEST_APPROACH:
        i, j = int(pairs.centre[closest]), int(pairs.neighbour[closest])
        names = [f"{chemical_symbols[int(batch.numbers[a])]}{a}" for a in (i, j)]
        raise StructureError(
            f"atoms {names[0]} and {names[1]} are {float(distances[closest]):.3g} Å apart, closer "
            "than nuclei ever come; remove the duplicate or check the units (Å)"
        )
