"""Batches, neighbours against ASE's own list, and structures that cannot be used."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from interpmd.errors import StructureError, UnknownElementError
from interpmd.structures.edges import (
    Environments,
    Neighbours,
    edge_vectors,
    environments,
    neighbours,
    search_neighbours,
)
from interpmd.structures.systems import Batch, atomic_number, check_elements, sum_by_structure

SKEWED = Atoms(
    "NaClO",
    positions=[[0, 0, 0], [9.1, -3.0, 1.7], [0.2, 1.5, -6.6]],  # two of them outside the cell
    cell=[[4.0, 0, 0], [2.9, 4.4, 0], [-1.5, 1.2, 5.1]],
    pbc=True,
)


def edges(batch: Batch, pairs: Neighbours) -> set[tuple]:
    """Edges with their vectors, beyond the order in which they are listed."""
    vectors = edge_vectors(batch, pairs).double().numpy().round(6) + 0.0
    rows = zip(
        pairs.centre.tolist(), pairs.neighbour.tolist(), map(tuple, vectors.tolist()), strict=True
    )
    found = list(rows)
    assert len(found) == len(set(found))
    return set(found)


def expected_edges(atoms: Atoms, cutoff: float) -> set[tuple]:
    i, j, vectors = neighbor_list("ijD", atoms, cutoff)
    vectors = vectors.round(6) + 0.0
    return set(zip(i.tolist(), j.tolist(), map(tuple, vectors.tolist()), strict=True))


def search(atoms: Atoms, cutoff: float) -> set[tuple]:
    batch = Batch.from_ase(atoms)
    return edges(batch, search_neighbours(batch, cutoff))


@pytest.mark.parametrize(
    ("atoms", "cutoff"),
    [
        (SKEWED, 4.5),
        (SKEWED, 9.5),
        (bulk("Cu"), 7.0),
        (bulk("Cu") * (3, 1, 2), 4.0),
        (fcc111("Al", (2, 2, 3), vacuum=6.0), 5.0),
        (Atoms("C2", positions=[[0, 0, 0], [0, 0.3, 1.2]], cell=[0, 0, 2.4], pbc=[0, 0, 1]), 8.0),
        (Atoms("He", cell=[1.1, 1.2, 30.0], pbc=True), 6.0),
        (molecule("C6H6"), 2.0),
    ],
    ids=["skewed", "images", "primitive", "supercell", "slab", "wire", "tiny", "molecule"],
)
def test_neighbours_are_those_of_ase(atoms, cutoff):
    expected = expected_edges(atoms, cutoff)
    assert len(expected) > 10
    assert search(atoms, cutoff) == expected


@pytest.mark.parametrize("pbc", np.ndindex(2, 2, 2))
def test_every_choice_of_periodic_directions(pbc):
    atoms = SKEWED.copy()
    atoms.pbc = pbc
    assert search(atoms, 7.0) == expected_edges(atoms, 7.0)


lengths = st.floats(-3.0, 3.0, allow_nan=False)


@settings(max_examples=40)
@given(
    off_diagonal=st.tuples(lengths, lengths, lengths),
    fractions=st.lists(st.tuples(*[st.floats(-2.0, 2.0)] * 3), min_size=1, max_size=4),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.floats(1.0, 6.0),
)
def test_neighbours_of_any_cell(off_diagonal, fractions, pbc, cutoff):
    a, b, c = off_diagonal
    cell = np.array([[3.0, 0, 0], [a, 3.5, 0], [b, c, 4.0]])
    atoms = Atoms(f"H{len(fractions)}", scaled_positions=fractions, cell=cell, pbc=pbc)
    i, _ = neighbor_list("id", atoms, cutoff + 1e-6)
    if len(i) != len(neighbor_list("i", atoms, cutoff - 1e-6)):
        return  # a pair at the cutoff may fall on either side
    batch = Batch.from_ase(atoms)
    found = search_neighbours(batch, cutoff)
    distances = np.sort(edge_vectors(batch, found).norm(dim=1).numpy())
    assert np.allclose(distances, np.sort(neighbor_list("d", atoms, cutoff)), atol=1e-9)


def test_dense_list_of_a_small_molecule_holds_all_pairs_whatever_the_cutoff():
    batch = Batch.from_ase(molecule("CH3CH2OH"))
    pairs = neighbours(batch, 1.0)
    assert pairs.degree == 8
    assert pairs.centre.tolist() == [i for i in range(9) for _ in range(8)]
    assert edges(batch, pairs) == edges(batch, search_neighbours(batch, 20.0))


def test_large_molecules_and_batches_are_searched():
    two = molecule("C60") + molecule("C60")
    two.positions[60:] += [9.0, 0, 0]
    assert neighbours(Batch.from_ase(two), 1.6).degree is None
    assert neighbours(Batch.from_ase([molecule("H2O")] * 2), 1.6).degree is None


def test_edges_of_a_batch_are_those_of_its_structures_sorted_by_centre():
    frames = [SKEWED, molecule("H2O"), Atoms("Ar"), bulk("Cu")]
    batch = Batch.from_ase(frames)
    pairs = neighbours(batch, 4.0)
    assert (pairs.centre.diff() >= 0).all()
    expected, first = set(), 0
    for atoms in frames:
        shifted = expected_edges(atoms, 4.0)
        expected |= {(i + first, j + first, vector) for i, j, vector in shifted}
        first += len(atoms)
    assert edges(batch, pairs) == expected
    both = set(zip(pairs.centre.tolist(), pairs.neighbour.tolist(), strict=True))
    assert both == {(j, i) for i, j in both}


def test_environments():
    frames = [molecule("H2O"), Atoms("Ar")]
    batch = Batch.from_ase(frames)
    env = environments(batch, neighbours(batch, 3.0))
    assert isinstance(env, Environments)
    assert env.n_sites == 4
    assert env.centre_numbers.tolist() == [8, 1, 1, 18]
    assert env.neighbour_numbers.tolist() == [1, 1, 8, 1, 8, 1]
    assert torch.allclose(env.vectors[0], batch.positions[1] - batch.positions[0])


def test_edge_vectors_are_differentiable_in_positions_and_cells():
    batch = Batch.from_ase(SKEWED)
    pairs = neighbours(batch, 4.0)

    def vectors(positions, cells):
        moved = Batch(**{**batch.__dict__, "positions": positions, "cells": cells})
        return edge_vectors(moved, pairs)

    inputs = (batch.positions.clone(), batch.cells.clone())
    assert torch.autograd.gradcheck(vectors, [tensor.requires_grad_() for tensor in inputs])


@pytest.mark.parametrize("pbc", [False, True, (True, False, True)])
def test_there_and_back(pbc):
    first, second = SKEWED.copy(), molecule("OH")
    first.pbc = pbc
    second.info["charge"] = -1
    for atoms, again in zip((first, second), Batch.from_ase([first, second]).to_ase(), strict=True):
        assert again.numbers.tolist() == atoms.numbers.tolist()
        assert np.array_equal(again.positions, atoms.positions)
        assert again.pbc.tolist() == atoms.pbc.tolist()
        assert again.info == atoms.info
        assert np.array_equal(again.cell, atoms.cell * atoms.pbc.any())


def test_batch_is_immutable_and_knows_its_counts():
    batch = Batch.from_ase([molecule("H2O"), SKEWED])
    assert (batch.n_atoms, batch.n_structures, batch.periodic) == (6, 2, True)
    assert batch.structure.tolist() == [0, 0, 0, 1, 1, 1]
    assert sum_by_structure(torch.arange(6.0), batch).tolist() == [3.0, 12.0]
    with pytest.raises(FrozenInstanceError):
        batch.positions = batch.positions + 1
    moved = batch.with_positions(batch.positions + 1)
    assert torch.equal(moved.positions, batch.positions + 1)
    assert not Batch.from_ase(molecule("H2O")).periodic


def test_types():
    batch = Batch.from_ase(SKEWED)
    single = batch.to(dtype=torch.float32)
    assert batch.positions.dtype == batch.cells.dtype == batch.charges.dtype == torch.float64
    assert single.positions.dtype == single.cells.dtype == single.charges.dtype == torch.float32
    assert single.numbers.dtype == single.structure.dtype == torch.int64
    assert single.pbc.dtype == torch.bool
    assert torch.allclose(single.positions.double(), batch.positions, atol=1e-6)
    assert Batch.from_ase(SKEWED, dtype=torch.float32).positions.dtype == torch.float32
    pairs = neighbours(single, 4.0)
    assert edge_vectors(single, pairs).dtype == torch.float32
    assert len(pairs.centre) == len(neighbours(batch, 4.0).centre)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device():
    batch = Batch.from_ase(SKEWED, device="cuda")
    pairs = neighbours(batch, 4.0)
    assert batch.positions.is_cuda
    assert pairs.centre.is_cuda
    there = edges(batch.to(device="cpu"), neighbours(batch.to(device="cpu"), 4.0))
    assert there == expected_edges(SKEWED, 4.0)
    assert edge_vectors(batch, pairs).is_cuda


def with_info(atoms: Atoms, **info) -> Atoms:
    atoms.info |= info
    return atoms


@pytest.mark.parametrize(
    ("structures", "message"),
    [
        ([], "no structures given"),
        (Atoms(), "structure is empty"),
        ([Atoms("H"), Atoms()], "structure 1 is empty"),
        (Atoms("HX", positions=[[0, 0, 0], [1, 0, 0]]), "atom 1 has atomic number 0"),
        (Atoms(numbers=[150]), "atom 0 has atomic number 150"),
        (Atoms("OH", positions=[[0, 0, 0], [np.nan, 0, 0]]), r"atom 1 \(H\) is not finite"),
        (Atoms("OH", positions=[[0, 0, np.inf], [1, 0, 0]]), r"atom 0 \(O\) is not finite"),
        (Atoms("H", cell=[3, 3, 0], pbc=True), "cell is singular"),
        (Atoms("H", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True), "cell is singular"),
        (Atoms("H", cell=[[3, 0, 0], [3, 1e-6, 0], [0, 0, 3]], pbc=True), "cell is singular"),
        (Atoms("H", cell=[3, np.nan, 3], pbc=True), "cell is not finite"),
        (with_info(Atoms("H"), charge="one"), "charge.* is 'one'"),
        (with_info(Atoms("H"), charge=np.nan), "charge.* is nan"),
    ],
)
def test_structures_that_cannot_be_used(structures, message):
    with pytest.raises(StructureError, match=message):
        Batch.from_ase(structures)


def test_a_cell_that_is_singular_where_it_is_not_periodic_is_fine():
    chain = Atoms("H", cell=[[1.5, 0, 0], [0, 0, 0], [0, 0, 0]], pbc=[True, False, False])
    assert len(search(chain, 2.0)) == 2
    slab = Atoms("H", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=[True, False, True])
    whole = Atoms("H", cell=[[3, 0, 0], [0, 9, 0], [0, 0, 3]], pbc=[True, False, True])
    assert search(slab, 4.0) == expected_edges(whole, 4.0)


@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("OH", positions=[[0, 0, 0], [0.1, 0, 0]]),
        Atoms("OH", positions=[[0, 0, 0], [5.1, 0, 0]], cell=[5, 5, 5], pbc=True),
        [Atoms("OH", positions=[[0, 0, 0], [0.1, 0, 0]]), Atoms("H")],
    ],
    ids=["dense", "across the boundary", "batch"],
)
def test_overlapping_atoms_are_named(atoms):
    with pytest.raises(StructureError, match=r"atoms O0 and H1 are 0\.1 Å apart"):
        neighbours(Batch.from_ase(atoms), 3.0)


def test_too_thin_a_cell_names_the_direction():
    thin = Batch.from_ase(Atoms("H", cell=[9.0, 0.3, 9.0], pbc=True))
    with pytest.raises(StructureError, match=r"0\.3 Å thick along vector 1.*cutoff of 5"):
        neighbours(thin, 5.0)
    flat = Atoms("H", cell=[[9, 0, 0], [9, 0.3, 0], [0, 0, 9]], pbc=True)
    with pytest.raises(StructureError, match="Å thick along vector 0"):
        neighbours(Batch.from_ase(flat), 5.0)


def test_unknown_elements_are_named():
    numbers = torch.tensor([8, 1, 17])
    check_elements(numbers, [1, 8, 17], "water")
    with pytest.raises(UnknownElementError, match="atom 2 is Cl, but water knows only H, O"):
        check_elements(numbers, [8, 1], "water")


def test_elements_go_by_symbol_or_number():
    assert [atomic_number(element) for element in ("O", 8, "8", np.int64(8))] == [8] * 4
    for wrong in ("Qq", 0, 200, "0"):
        with pytest.raises(UnknownElementError, match=f"{wrong!r} is not an element"):
            atomic_number(wrong)
