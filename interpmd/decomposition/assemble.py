"""From a potential and a structure to the table."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import numpy as np
import torch
from ase import Atoms

from interpmd import arguments
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.decomposition import Decomposition
from interpmd.decomposition.moebius import Rows, local_rows
from interpmd.decomposition.radicals import radical_scale
from interpmd.decomposition.sites import affordable_order, sites_of_terms
from interpmd.decomposition.whole import global_rows
from interpmd.errors import ArgumentError
from interpmd.potentials.base import AnyTerm, LocalTerm, Term
from interpmd.potentials.potential import Potential
from interpmd.structures.charged_parts import formal_charges
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.systems import Batch


def decompose(
    potential: Potential, atoms: Structures | Batch, order: int | None = None, forces: bool = True
) -> Decomposition:
    """The energy and forces of one structure as a table of rows.

    Everything is evaluated in float64, whatever the type of the potential, since alternating sums
    lose digits.

    Args:
        potential: the sum of terms.
        atoms: one structure, or a file of it (see `read_frames`).
        order: largest body order to enumerate; what lies above is kept as remainders, one per
            site. If None the full body order, or, with a warning, the highest that
            `STAR_BUDGET` allows.
        forces: whether to compute the forces of the rows of local terms. Without them, as zeros,
            the table takes about half the time.

    Raises:
        ArgumentError: an order below 1, more than one structure, or an order so high that more
            than `STAR_LIMIT` subsets of neighbours would have to be enumerated.
        StructureError, UnknownElementError: see `Potential.batch`.
        FragmentError: the structure is charged, a term sees that, and it is not known which atoms
            carry the charge; see `interpmd.structures.charged_parts`.
    """
    arguments.of_class(Potential, potential=potential)
    if order is not None:
        arguments.count(order=order)
    if not isinstance(atoms, Batch):
        atoms = one_structure(atoms)
    batch = potential.batch(atoms)
    if batch.n_structures != 1:
        raise ArgumentError(f"decompose takes one structure at a time, not {batch.n_structures}")
    structure = atoms.copy() if isinstance(atoms, Atoms) else batch.to_ase()[0]
    batch = (
        Batch.from_ase(atoms, torch.float64, potential.device)
        if isinstance(atoms, Atoms)
        else batch.to(dtype=torch.float64)
    )
    sites = sites_of_terms(potential, batch)
    order = affordable_order(potential, sites, order)
    rows: list[tuple[str, Rows]] = []
    charges = np.zeros(len(structure))
    if potential.global_terms and not batch.periodic:
        charges = formal_charges(structure)
    for name, term in potential.terms.items():
        if isinstance(term, LocalTerm):
            of_term = min(order, term.body_order)
            parts = local_rows(in_float64(term), sites[name], of_term, forces)
        else:
            parts = global_rows(in_float64(term), batch, order, charges)
        rows += [(row_term(name, term, part.order), part) for part in parts]
    return _assemble(structure, rows, order, radical_scale(potential))


def in_float64(term: AnyTerm) -> AnyTerm:
    """The term itself if it is entirely in float64, otherwise a copy that is."""
    named = (*term.named_parameters(), *term.named_buffers())
    # samples are brought to the type of the features where they are used
    tensors = [t for name, t in named if t.is_floating_point() and name != "samples"]
    if all(t.dtype == torch.float64 for t in tensors):
        return term
    return copy.deepcopy(term).double()


def row_term(name: str, term: Term, order: int) -> str:
    """The term's own name for its rows, made unique where two terms share it."""
    own = term.row_name(order) if order else term.kind
    if own == term.kind or order == 0:
        return name
    return own if name == term.kind else f"{name} {own}"


def _assemble(
    structure: Atoms, rows: Iterable[tuple[str, Rows]], order: int, scale: float
) -> Decomposition:
    kept = [(name, _without_zeros(part)) for name, part in rows]
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
        radical_scale=scale,
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
