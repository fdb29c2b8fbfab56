"""Rows of groups: complete, conserving, small, and with forces that are those of their energies."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.units import Hartree

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="the model of these tests is GFN2-xTB")

from capped_molecules import dipeptides, from_smiles, gfn2

import interpmd as im
from interpmd.attribution.gauges.capping import capped, forces_on_atoms, hydrogen_molecule, parts_of
from interpmd.attribution.gauges.groups import (
    explain_groups,
    group_game,
    group_rows,
    myerson_values,
    part_molecules,
    shares,
)
from interpmd.attribution.gauges.myerson import connected_sets
from interpmd.attribution.models import as_model
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import ArgumentError, ModelError
from interpmd.structures.groups import Grouping, groups_of

MOLECULES = {
    "alanine dipeptide": "CC(=O)NC(C)C(=O)NC",
    "butane": "CCCC",
    "1,2-difluoroethane": "FCCF",
    "glycine": "NCC(=O)O",
    "zwitterion of glycine": "[NH3+]CC(=O)[O-]",
    "acetate": "CC(=O)[O-]",
    "methylcyclohexane": "CC1CCCCC1",
    "malonaldehyde": "OC=CC=O",
    "neopentanol": "CC(C)(C)CO",
}


def pairwise(structures):
    """A toy model with error bars: repulsion by elements, four joint samples of its strength."""
    energies, forces, samples, force_samples = [], [], [], []
    strength = np.random.default_rng(0).normal(0, 0.1, (4, 10, 10))
    strength = strength + strength.transpose(0, 2, 1)
    for atoms in structures:
        i, j = np.triu_indices(len(atoms), 1)
        vectors = atoms.positions[j] - atoms.positions[i]
        r = np.linalg.norm(vectors, axis=1)
        drawn = np.concatenate([np.ones((1, 10, 10)), strength])[
            :, atoms.numbers[i], atoms.numbers[j]
        ]
        energy = (drawn * np.exp(-r)).sum(1)
        force = np.zeros((5, len(atoms), 3))
        push = (drawn * np.exp(-r))[..., None] * (vectors / r[:, None])
        for k in range(5):
            np.add.at(force[k], i, -push[k])
            np.add.at(force[k], j, push[k])
        energies.append(energy[0])
        forces.append(force[0])
        samples.append(energy[1:])
        force_samples.append(force[1:])
    return np.array(energies), forces, np.array(samples).T, force_samples


def sets_of(grouping, order=None):
    return connected_sets(len(grouping), grouping.links, order)


def distorted(smiles, seed=3):
    atoms = from_smiles(smiles)
    atoms.rattle(0.03, seed=seed)
    return atoms


@pytest.mark.parametrize("name", MOLECULES)
@pytest.mark.parametrize("order", [None, 2])
def test_rows_sum_to_energy_and_forces(name, order):
    atoms = distorted(MOLECULES[name])
    rows = explain_groups(atoms, groups_of(atoms), gfn2, order)
    [energy], [forces] = gfn2([atoms])
    assert rows.total_energy == pytest.approx(energy, abs=1e-9)
    assert rows.energies.sum() == pytest.approx(energy, abs=1e-8)
    assert np.abs(rows.forces.sum(0) - forces).max() < 1e-8
    assert max(rows.residual) < 1e-8
    left = [label for label, k in zip(rows.game.labels, rows.game.orders, strict=True) if k == 0]
    assert left == (["sets of more than 2 groups"] if order and len(rows.game.grouping) > 2 else [])


@pytest.mark.parametrize("name", ["alanine dipeptide", "neopentanol", "zwitterion of glycine"])
def test_rows_are_the_dividends_of_the_game(name):
    """Against the definition: what no smaller connected set accounts for."""
    atoms = distorted(MOLECULES[name])
    grouping = groups_of(atoms)
    rows = explain_groups(atoms, grouping, gfn2)
    parts = parts_of(grouping, sets_of(grouping))
    energies, _ = gfn2([*capped(parts, atoms), hydrogen_molecule()])
    value = energies[:-1] - 0.5 * parts.caps * energies[-1]
    dividend: dict[frozenset, float] = {}
    for chosen, worth in zip(parts.sets, value, strict=True):
        smaller = [d for s, d in dividend.items() if s < set(chosen)]
        dividend[frozenset(chosen)] = worth - sum(smaller)
    assert [frozenset(s) for s in rows.game.sets] == list(dividend)
    assert np.allclose(rows.energies, list(dividend.values()), atol=1e-8)


def test_connected_sets_are_all_of_them():
    grouping = groups_of(from_smiles("CC(C)(C)CO"))
    for order in (1, 2, 3, None):
        expected = [
            s
            for size in range(1, len(grouping) + 1)
            for s in combinations(range(len(grouping)), size)
            if sum(set(link) <= set(s) for link in grouping.links) == size - 1
            and (order is None or size <= order)
        ]
        assert sets_of(grouping, order) == expected
    with pytest.raises(ArgumentError, match="from 1 on"):
        sets_of(grouping, 0)


def test_many_groups_are_refused_by_number_not_by_memory():
    star = Grouping(
        (6,) * 40,
        tuple((k,) for k in range(40)),
        ("CH2",) * 40,
        (0,) * 40,
        tuple((0, k) for k in range(1, 40)),
        tuple((0, k) for k in range(1, 40)),
        (tuple(range(40)),),
        (),
        frozenset(),
    )
    with pytest.raises(ArgumentError, match="give an order of 4 or less"):
        sets_of(star)
    assert len(sets_of(star, 3)) == 40 + 39 + 39 * 38 // 2


@pytest.mark.parametrize("name", ["alanine dipeptide", "1,2-difluoroethane", "methylcyclohexane"])
def test_every_row_keeps_momentum_and_torque(name):
    atoms = distorted(MOLECULES[name])
    rows = explain_groups(atoms, groups_of(atoms), gfn2)
    assert np.abs(rows.forces.sum(1)).max() < 1e-7
    assert np.abs(np.cross(atoms.positions, rows.forces).sum(1)).max() < 1e-6


@pytest.mark.parametrize(
    ("smiles", "part"), [("CCCC", (1,)), ("NCC(=O)O", (1, 2)), ("[NH3+]CC(=O)[O-]", (2,))]
)
def test_forces_of_a_part_are_the_slopes_of_its_energy(smiles, part):
    atoms = distorted(smiles)
    parts = parts_of(groups_of(atoms), [part])
    forces = forces_on_atoms(parts, atoms.positions, gfn2(capped(parts, atoms))[1])[0]
    step = 1e-3
    slopes = np.zeros_like(forces)
    for index in range(forces.size):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions.flat[index] += sign * step
            energies.append(gfn2(capped(parts, moved))[0][0])
        slopes.flat[index] = -(energies[0] - energies[1]) / (2 * step)
    assert np.abs(slopes - forces).max() < 3e-4
    # the neighbours that left feel the part through its caps, and atoms beyond them do not
    touched = np.flatnonzero(np.abs(forces).max(1) > 1e-6)
    assert set(touched) == {*parts.members[0].tolist(), *parts.leaves.tolist()}


def test_caps_lie_on_the_cut_bonds_at_standard_length():
    atoms = distorted("NCC(=O)O")
    grouping = groups_of(atoms)
    parts = parts_of(grouping, [(0,), (1,), (2,), (0, 1)])
    assert parts.caps.tolist() == [1, 2, 1, 1]
    molecules = capped(parts, atoms)
    assert [str(m.symbols) for m in molecules] == ["NH3", "CH4", "CO2H2", "NCH5"]
    for index, length in ((0, 1.02), (1, 1.09), (2, 1.09), (3, 1.09)):
        cap = molecules[index].positions[-1]
        stays, leaves = (
            atoms.positions[a[parts.part == index][-1]] for a in (parts.stays, parts.leaves)
        )
        assert np.linalg.norm(cap - stays) == pytest.approx(length)
        assert np.linalg.norm(np.cross(cap - stays, leaves - stays)) < 1e-12
        assert (cap - stays) @ (leaves - stays) > 0


def test_charged_parts_carry_their_charges():
    atoms = from_smiles("[NH3+]CC(=O)[O-]")
    grouping = groups_of(atoms)
    parts = parts_of(grouping, sets_of(grouping))
    charges = {
        grouping.label(s): m.info.get("charge", 0)
        for s, m in zip(parts.sets, capped(parts, atoms), strict=True)
    }
    assert charges == {
        "NH3+": 1,
        "CH2": 0,
        "COO-": -1,
        "NH3+ · CH2": 1,
        "CH2 · COO-": -1,
        "NH3+ · CH2 · COO-": 0,
    }
    for part in capped(parts, atoms):
        assert part.get_initial_charges().sum() == pytest.approx(part.info.get("charge", 0))
    # ammonium beside acetate's carboxylate: the row of the ends is their attraction through CH2
    rows = explain_groups(atoms, grouping, gfn2).to_frame().set_index("row")["energy_eV"]
    assert rows["NH3+ · CH2 · COO-"] < -2.0


def test_calculators_of_ase_see_the_charges_of_parts():
    from tblite.ase import TBLite

    atoms = from_smiles("[NH3+]CC(=O)[O-]")
    calculator = TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.01)
    found = explain_groups(atoms, groups_of(atoms), as_model(calculator).evaluate)
    expected = explain_groups(atoms, groups_of(atoms), gfn2)
    assert np.allclose(found.energies, expected.energies, atol=1e-6)


def test_part_that_is_cut_twice_from_one_group_is_refused():
    """Cyclobutane as two halves, which `groups_of` would refuse before."""
    atoms = from_smiles("C1CCC1")
    halves = [[0, 1, 4, 5, 6, 7], [2, 3, 8, 9, 10, 11]]
    with pytest.raises(ArgumentError, match="in a ring"):
        groups_of(atoms, halves)
    ring = Grouping(
        tuple(atoms.numbers.tolist()),
        tuple(tuple(h) for h in halves),
        ("left", "right"),
        (0, 0),
        ((0, 3), (1, 2)),
        ((0, 1), (0, 1)),
        ((0, 1),),
        (),
        frozenset(),
    )
    with pytest.raises(ArgumentError, match="2 bonds lead from left to right"):
        parts_of(ring, [(0,)])
    chain = groups_of(from_smiles("CCCC"))
    with pytest.raises(ArgumentError, match=r"CH3\(0\) · CH2\(2\) are not connected"):
        parts_of(chain, [(0, 2)])
    with pytest.raises(ArgumentError, match="no set of groups"):
        parts_of(chain, [(4,)])


def test_half_a_hydrogen_molecule_a_cap():
    """The row of ethane's bond is the energy of C2H6 + H2 -> 2 CH4, with the sign turned."""
    atoms = molecule("C2H6")
    grouping = groups_of(atoms)
    parts = parts_of(grouping, [(0,), (1,)])
    (ethane, h2, left, right), _ = gfn2([atoms, hydrogen_molecule(), *capped(parts, atoms)])
    rows = explain_groups(atoms, grouping, gfn2)
    assert rows.energies[2] == pytest.approx(ethane + h2 - left - right, abs=1e-8)
    assert rows.energies[0] == pytest.approx(left - h2 / 2, abs=1e-8)
    assert 0.3 < rows.energies[2] < 1.2  # 0.65 eV by heats of formation
    given = explain_groups(atoms, grouping, gfn2, hydrogen_energy=-1.0 * Hartree)
    shift = -Hartree - h2
    assert np.allclose(given.energies - rows.energies, [-shift / 2, -shift / 2, shift], atol=1e-8)
    assert np.array_equal(given.forces, rows.forces)


def test_rows_of_alanine_dipeptide_fall_off_with_size():
    frames = list(dipeptides())
    game = group_game(groups_of(frames))
    assert len(game.parts) + 1 == 45
    asked = []

    def counted(structures):
        asked.append(len(structures))
        return gfn2(structures)

    rows = group_rows(frames, game, counted)
    assert asked == [45 * len(frames) + 1]  # one call, H2 once
    assert np.max([r.residual for r in rows]) < 1e-8
    size = {
        k: np.sqrt(np.mean([r.energies[game.orders == k] ** 2 for r in rows])) for k in range(2, 7)
    }
    expected = {2: 0.783, 3: 0.134, 4: 0.034, 5: 0.069, 6: 0.006}
    assert size == pytest.approx(expected, rel=0.1)
    missed = [r.forces[game.orders <= 5].sum(0) - r.total_forces for r in rows]
    assert np.sqrt(np.mean(np.square(missed))) < 0.025
    readability = [
        np.linalg.norm(r.forces, axis=2).sum(0) / np.linalg.norm(r.total_forces, axis=1)
        for r in rows
    ]
    assert np.median(readability) < 2.5


def test_the_shipped_potential_is_complete_too():
    frames = list(dipeptides())[:2]
    model = as_model(im.load("alanine_dipeptide"))
    for rows in group_rows(frames, group_game(groups_of(frames), order=3), model.evaluate):
        assert max(rows.residual) < 1e-8
        assert rows.game.labels[-1] == "sets of more than 3 groups"
        [energy], _ = model.evaluate([frames[0]])
    assert group_rows(frames[:1], rows.game, model.evaluate)[0].total_energy == pytest.approx(
        energy
    )


def test_several_molecules_have_a_row_between_them():
    ethanol, water = from_smiles("CCO"), molecule("H2O")
    water.positions += [0.0, 0.0, 4.0]
    both = ethanol + water
    for order in (None, 2):
        rows = explain_groups(both, groups_of(both), gfn2, order)
        assert max(rows.residual) < 1e-8
        table = rows.to_frame().set_index("row")["energy_eV"]
        (together, one, other), _ = gfn2([both, ethanol, water])
        assert table["between molecules"] == pytest.approx(together - one - other, abs=1e-8)
        alone = explain_groups(ethanol, groups_of(ethanol), gfn2, order).to_frame()
        for label, energy in zip(alone["row"], alone["energy_eV"], strict=True):
            found = table.get(label, table.get(f"{label} in the molecule of CH3"))
            assert found == pytest.approx(energy, abs=1e-8)


def test_periodic_cells_give_the_same_as_the_molecule_in_one_piece():
    atoms = from_smiles("NCC(=O)O")
    atoms.set_cell([30.0, 30.0, 30.0])
    atoms.pbc = True
    shifted = atoms.copy()
    shifted.positions -= atoms.positions[1]
    shifted.wrap()
    game = group_game(groups_of(shifted))

    def vacuum(structures):
        return pairwise([Atoms(a.numbers, positions=a.positions) for a in structures])

    rows = group_rows([shifted], game, vacuum)[0]
    whole = group_rows([atoms], game, vacuum)[0]
    small = game.orders < 3
    assert np.allclose(rows.energies[small], whole.energies[small], atol=1e-10)
    assert np.allclose(rows.forces[small], whole.forces[small], atol=1e-10)
    assert all(part.pbc.all() for part in capped(game.parts, atoms))


def test_error_bars_are_those_of_the_differences():
    atoms = distorted("CCCC")
    rows = explain_groups(atoms, groups_of(atoms), pairwise)
    assert rows.energy_samples.shape == (4, len(rows))
    # each sample is a model of its own, and its rows are linear in its energies
    for draw in range(4):

        def drawn(structures, draw=draw):
            _, _, samples, forces = pairwise(structures)
            return samples[draw], [f[draw] for f in forces]

        mine = explain_groups(atoms, groups_of(atoms), drawn)
        assert np.allclose(mine.energies, rows.energy_samples[draw], atol=1e-12)
        assert np.allclose(mine.forces, rows.force_samples[draw], atol=1e-12)
    other = distorted("CCCC", seed=7)
    one, two = group_rows([other, atoms], rows.game, pairwise)
    assert np.allclose(two.energy_samples, rows.energy_samples, atol=1e-12)
    assert np.allclose(two.force_samples, rows.force_samples, atol=1e-12)
    assert np.abs(one.force_samples - rows.force_samples).max() > 1e-3
    spread = np.sqrt((rows.energy_samples**2).mean(0))
    assert np.allclose(rows.to_frame()["energy_std_eV"], spread)
    assert rows.force_std.shape == rows.forces.shape
    # what parts have in common cancels: the whole is far less sure than its largest row
    largest = rows.energy_std[rows.game.orders == 4][0]
    assert largest < 0.2 * np.sqrt((rows.energy_samples.sum(1) ** 2).mean())


def test_myerson_values_are_shapley_values_of_the_game_on_the_graph():
    atoms = distorted("CC(C)(C)CO")
    grouping = groups_of(atoms)
    rows = explain_groups(atoms, grouping, pairwise)
    found = myerson_values(rows)
    assert found["energy_eV"].sum() == pytest.approx(rows.total_energy, abs=1e-10)
    players = range(len(grouping))
    dividend = {frozenset(s): e for s, e in zip(rows.game.sets, rows.energies, strict=True)}

    def worth(chosen):
        return sum(d for s, d in dividend.items() if s <= chosen)

    value = np.zeros(len(grouping))
    for player in players:
        others = [k for k in players if k != player]
        for size in range(len(players)):
            sets = [frozenset(s) for s in combinations(others, size)]
            gains = [worth(s | {player}) - worth(s) for s in sets]
            value[player] += np.mean(gains) / len(players)
    assert np.allclose(found["energy_eV"], value, atol=1e-10)
    assert (found["std_eV"] > 0).all()
    cut = myerson_values(explain_groups(atoms, grouping, pairwise, order=2))
    assert cut.index[-1] == "sets of more than 2 groups"
    assert cut["energy_eV"].sum() == pytest.approx(rows.total_energy, abs=1e-10)
    assert np.allclose(shares(rows.game).sum(0), 1.0)


def test_parts_as_molecules_to_label():
    atoms = from_smiles("CCO")
    found = part_molecules(group_game(groups_of(atoms), order=2), atoms)
    # CH3, CH2 and OH closed with hydrogen, then ethane and methanol
    assert [str(part.symbols) for part in found] == ["CH4", "CH4", "OH2", "C2H6", "COH4"]


def test_fixed_atoms_feel_their_forces():
    free = distorted("CCO")
    fixed = free.copy()
    fixed.set_constraint(FixAtoms([0]))
    calculator = LennardJones(sigma=1.0, rc=6.0)
    rows = [
        explain_groups(atoms, groups_of(atoms), as_model(calculator).evaluate)
        for atoms in (free, fixed)
    ]
    assert np.abs(rows[0].total_forces[0]).max() > 0.01
    assert np.allclose(rows[0].forces, rows[1].forces, atol=1e-12)


def test_groups_in_a_ring_are_no_tree():
    ring = Grouping(
        (6,) * 3,
        ((0,), (1,), (2,)),
        ("A", "B", "C"),
        (0,) * 3,
        ((0, 1), (0, 2), (1, 2)),
        ((0, 1), (0, 2), (1, 2)),
        ((0, 1, 2),),
        (),
        frozenset(),
    )
    with pytest.raises(ArgumentError, match="form a ring"):
        group_game(ring)


def test_symmetry_of_the_molecule_is_that_of_the_rows():
    ethane = explain_groups(molecule("C2H6"), groups_of(molecule("C2H6")), gfn2)
    assert ethane.energies[0] == pytest.approx(ethane.energies[1], abs=1e-6)


def test_parts_without_a_value_are_named():
    atoms = from_smiles("CCO")

    def broken(structures):
        energies, forces, *_ = pairwise(structures)
        energies[2] = np.nan
        return energies, forces

    with pytest.raises(ModelError, match=r"the part CH4 of charge 0"):
        explain_groups(atoms, groups_of(atoms), broken)
    with pytest.raises(ModelError, match="was asked for 7 structures"):
        explain_groups(atoms, groups_of(atoms), lambda s: (np.zeros(2), []))


def test_the_chelate_of_malonaldehyde_is_one_row_once_its_proton_moves():
    here = MALONALDEHYDE.copy()
    there = here.copy()
    far = max(np.flatnonzero(here.numbers == 8), key=lambda o: here.get_distance(o, 8))
    toward = there.get_distance(far, 8, vector=True)
    there.positions[8] = there.positions[far] + toward / np.linalg.norm(toward)
    rows = group_rows([here, there], group_game(groups_of([here, there])), gfn2)
    assert [r.game.labels for r in rows] == [("chelate ring",)] * 2
    assert max(max(r.residual) for r in rows) < 1e-8
