"""From a potential and a structure to the table."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.decomposition import Decomposition
from interpmd.decomposition.moebius import Rows, Sites, local_rows
from interpmd.decomposition.subsets import count_stars
from interpmd.decomposition.whole import global_rows
from interpmd.errors import ArgumentError
from interpmd.potentials.base import GlobalTerm, LocalTerm, Term
from interpmd.potentials.potential import Potential
from interpmd.structures.systems import Batch, Environments, edge_vectors

#: Most subsets of neighbours that are enumerated unless the order is given.
STAR_BUDGET = 300_000

#: Most subsets of neighbours that are enumerated at all.
STAR_LIMIT = 20_000_000

#: Order to which terms that depend on the whole structure are expanded if no other term says.
GLOBAL_ORDER = 3


def decompose(
    potential: Potential, atoms: Atoms | Batch, order: int | None = None, forces: bool = True
) -> Decomposition:
    """The energy and forces of one structure as a table of rows.

    Alternating sums lose digits, so that everything is evaluated in float64 whatever the type of
    the potential.

    Args:
        potential: the sum of terms.
        atoms: one structure.
        order: largest body order to enumerate; what lies above stands as remainders, one per
            site. The full body order if None, or the highest within `STAR_BUDGET`, with a
            warning.
        forces: whether to compute the forces of the rows of local terms; they stand as zeros if
            not, in about half the time.

    Raises:
        ValueError: order below 1, more than one structure, or so high an order that more than
            `STAR_LIMIT` subsets of neighbours would have to be enumerated.
        StructureError, UnknownElementError: see `Potential.batch`.
    """
    if order is not None and (isinstance(order, bool) or int(order) != order or order < 1):
        raise ArgumentError(
            f"order is the largest number of atoms in a row, 1 or more, not {order!r}"
        )
    batch = potential.batch(atoms if isinstance(atoms, Batch) else [atoms])
    if batch.n_structures != 1:
        raise ArgumentError(f"decompose takes one structure at a time, not {batch.n_structures}")
    structure = atoms.copy() if isinstance(atoms, Atoms) else batch.to_ase()[0]
    batch = (
        Batch.from_ase(atoms, torch.float64, potential.device)
        if isinstance(atoms, Atoms)
        else batch.to(dtype=torch.float64)
    )
    sites = _sites(potential, batch)
    order = _affordable(potential, sites, order)
    found: list[tuple[str, Rows]] = []
    for name, term in potential.terms.items():
        precise = _in_float64(term)
        if isinstance(term, LocalTerm):
            parts = local_rows(precise, sites[name], min(order, term.body_order), forces)
        else:
            parts = global_rows(precise, batch, order)
        found += [(_name(name, term, part.order), part) for part in parts]
    return _assemble(structure, found, order)


def force_samples(
    potential: Potential, table: Decomposition, along: Float[np.ndarray, "directions atoms 3"]
) -> Float[np.ndarray, "rows directions samples"]:
    """Deviations of the rows' forces along some directions, under the posterior.

    Args:
        potential: that the table was made of.
        table: its rows are the rows of the result.
        along: directions in the space of all positions: the force of a row along one of them is
            the sum over atoms of direction . force.

    Returns:
        eV/A (times the length of the direction), under the same joint samples as
        `Decomposition.samples`.
    """
    batch = Batch.from_ase(table.structure, torch.float64, potential.device)
    sites = _sites(potential, batch, along)
    found = np.zeros((len(table), len(along), table.samples.shape[1]))
    if not found.size:
        return found
    place = {_key(*row): index for index, row in enumerate(_identities(table))}
    for name, term in potential.learned_terms.items():
        if not term.n_samples:
            continue
        order = min(table.requested_order, term.body_order)
        for part in local_rows(_in_float64(term), sites[name], order, forces=False):
            samples = part.samples.reshape(len(part.samples), len(along), -1)
            word = _name(name, term, part.order)
            for atoms, shifts, sample in zip(
                part.members.atoms, part.members.shifts, samples, strict=True
            ):
                row = place.get(_key(word, part.order, atoms, shifts))
                if row is not None:
                    found[row] += sample[:, : found.shape[2]]
    return found


def _identities(table: Decomposition) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Term, order, atoms and images of every row."""
    for row, (first, last) in enumerate(zip(table.first[:-1], table.first[1:], strict=True)):
        members = slice(first, last)
        term = table.terms[table.term[row]]
        yield term, int(table.order[row]), table.member_atoms[members], table.member_shifts[members]


def _key(term: str, order: int, atoms: np.ndarray, shifts: np.ndarray) -> tuple:
    return term, order, atoms.astype(np.int64).tobytes(), shifts.astype(np.int64).tobytes()


def _sites(
    potential: Potential, batch: Batch, along: Float[np.ndarray, "directions atoms 3"] | None = None
) -> dict[str, Sites]:
    """Sites and neighbours of every local term, within its own cutoff."""
    if not potential.local_terms:
        return {}
    pairs = potential.neighbours(batch)
    vectors = edge_vectors(batch, pairs).detach()
    distances = vectors.norm(dim=1)
    if along is not None:
        moves = torch.as_tensor(along, dtype=vectors.dtype, device=vectors.device)
        moves = moves[:, pairs.neighbour] - moves[:, pairs.centre]
    sites = {}
    for name, term in potential.local_terms.items():
        keep = torch.nonzero(distances < term.cutoff)[:, 0]
        sites[name] = Sites(
            environments=Environments(
                vectors=vectors[keep],
                centre=pairs.centre[keep],
                centre_numbers=batch.numbers,
                neighbour_numbers=batch.numbers[pairs.neighbour[keep]],
            ),
            neighbour=pairs.neighbour[keep].cpu().numpy(),
            shifts=pairs.shifts[keep].cpu().numpy(),
            along=None if along is None else moves[:, keep],
        )
    return sites


def subsets_of_neighbours(potential: Potential, atoms: Atoms, orders: Iterable[int]) -> list[int]:
    """How many `decompose` has to enumerate at each order; its time grows in proportion."""
    sites = _sites(potential, potential.batch(atoms))
    return [_stars(potential, sites, order) for order in orders]


def _stars(potential: Potential, sites: dict[str, Sites], order: int) -> int:
    return sum(
        count_stars(sites[name].degrees, min(order, term.body_order))
        for name, term in potential.local_terms.items()
    )


def _affordable(potential: Potential, sites: dict[str, Sites], order: int | None) -> int:
    def stars(order: int) -> int:
        return _stars(potential, sites, order)

    if order is not None:
        if (needed := stars(order)) > STAR_LIMIT:
            raise ArgumentError(
                f"order {order} needs {needed:.3g} subsets of neighbours, more than the limit of "
                f"{STAR_LIMIT:.3g}; choose a lower order or a smaller structure"
            )
        return order
    orders = [term.body_order for term in potential.local_terms.values()]
    full = max(orders, default=GLOBAL_ORDER)
    if potential.global_terms:
        full = max(full, GLOBAL_ORDER)
    affordable = next((k for k in range(full, 1, -1) if stars(k) <= STAR_BUDGET), 1)
    if affordable < full and stars(affordable) < stars(full):
        warnings.warn(
            f"rows are enumerated to order {affordable}, not {full}, which would need "
            f"{stars(full):.3g} subsets of neighbours; what lies above stands as remainders. "
            f"Pass order={full} to enumerate all",
            stacklevel=3,
        )
    return affordable


def _in_float64(term: Term) -> Term:
    tensors = (*term.parameters(), *term.buffers())
    if all(t.dtype == torch.float64 for t in tensors if t.is_floating_point()):
        return term
    return copy.deepcopy(term).double()


def _name(name: str, term: LocalTerm | GlobalTerm, order: int) -> str:
    """The term's own name for its rows, told apart where two terms share it."""
    own = term.row_name(order) if order else term.kind
    if own == term.kind or order == 0:
        return name
    return own if name == term.kind else f"{name} {own}"


def _assemble(structure: Atoms, found: Iterable[tuple[str, Rows]], order: int) -> Decomposition:
    kept = [(name, _without_zeros(part)) for name, part in found]
    kept = [(name, part) for name, part in kept if len(part.energies)]
    names = tuple(dict.fromkeys(name for name, _ in kept))
    parts = [part for _, part in kept]
    counts = [len(p.energies) for p in parts]
    sizes = np.repeat(np.array([p.members.atoms.shape[1] for p in parts], dtype=np.int64), counts)
    return Decomposition(
        structure=structure,
        clusters=Clusters(
            terms=names,
            term=np.repeat(
                np.array([names.index(name) for name, _ in kept], dtype=np.int64), counts
            ),
            order=np.repeat(np.array([p.order for p in parts], dtype=np.int64), counts),
            first=np.concatenate([[0], np.cumsum(sizes)]),
            member_atoms=_joined([p.members.atoms.reshape(-1) for p in parts], (), np.int64),
            member_shifts=_joined([p.members.shifts.reshape(-1, 3) for p in parts], (3,), np.int64),
        ),
        energies=_joined([p.energies for p in parts], ()),
        samples=_joint_samples(parts),
        member_forces=_joined([p.forces.reshape(-1, 3) for p in parts], (3,)),
        requested_order=order,
    )


def _without_zeros(rows: Rows) -> Rows:
    """Rows with some energy, force or uncertainty."""
    keep = (rows.energies != 0) | (rows.forces != 0).any((1, 2)) | (rows.samples != 0).any(1)
    return rows if keep.all() else rows.take(keep)


def _joint_samples(parts: list[Rows]) -> np.ndarray:
    """Samples side by side; terms without a posterior do not vary.

    Posteriors of different terms are independent, so that any pairing of their draws is a joint
    draw; where their numbers differ the smaller one is used.
    """
    columns = min((p.samples.shape[1] for p in parts if p.samples.shape[1]), default=0)
    return _joined(
        [
            p.samples[:, :columns] if p.samples.shape[1] else np.zeros((len(p.energies), columns))
            for p in parts
        ],
        (columns,),
    )


def _joined(arrays: list[np.ndarray], shape: tuple[int, ...], dtype: type = float) -> np.ndarray:
    return np.concatenate([np.zeros((0, *shape), dtype=dtype), *arrays])
