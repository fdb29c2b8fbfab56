"""Learned and quantum truth, on a small scale."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.units import kcal, mol

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.errors import StructureError, TruthError
from interpmd.levels.names import resolve
from interpmd.potentials.analytic import StillingerWeber
from interpmd.potentials.potential import Potential
from interpmd.reference.clusters import molecules_of, random_clusters
from interpmd.structures.files import read_frames
from interpmd.trust.conformance import check_potential
from interpmd.trust.truth import frames as structures
from interpmd.trust.truth import learned_checks, learned_truth, quantum_truth, row_errors
from interpmd.trust.truth.learned import SPEC
from interpmd.trust.truth.message_passing import MessagePassing, train
from interpmd.trust.truth.quantum import many_body_expansion, subsets_of

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def silicon():
    return StillingerWeber(elements=["Si"])


@pytest.fixture(scope="module")
def network():
    return Potential([MessagePassing([14], cutoff=4.0, channels=8, seed=3)])


def water_cluster(size, seed=0):
    return random_clusters(molecule("H2O"), size, 1, (2.6, 3.2), seed=seed, contact=0.6)[0]


# learned truth


def test_frames_are_labelled_by_the_truth_and_reproducible(silicon):
    first = structures.clusters(silicon, "Si", (4, 8), 12, seed=5)
    again = structures.clusters(silicon, "Si", (4, 8), 12, seed=5)
    assert [len(a) for a in first] == [len(a) for a in again]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
        assert one.get_potential_energy() == pytest.approx(
            sum(silicon.known_rows(one).values()), abs=1e-9
        )
    distances = [a.get_distance(0, 1) for a in structures.dimers(silicon, "Si", 20, seed=0)]
    assert np.all(np.diff(distances) > 0)
    assert distances[0] < 0.9 * silicon.sigma and distances[-1] > 0.95 * silicon.cutoff
    assert all(len(a) == 3 for a in structures.trimers(silicon, "Si", 5, seed=0))


def test_rows_of_the_truth_itself_have_no_error(silicon):
    found = row_errors(
        Potential([silicon]), silicon, structures.clusters(silicon, "Si", (4, 6), 4, 1)
    )
    assert found.pair_rmse < 1e-10 and found.triplet_rmse < 1e-10
    assert found.leak == 0 and found.net_leak == 0
    assert found.triplet_std > 0.05


@pytest.mark.parametrize(("dimers", "pair", "triplet"), [(True, 5.0, 3.0), (False, 25.0, 10.0)])
def test_expansion_finds_pairs_and_triplets(dimers, pair, triplet):
    [found] = learned_truth(
        dimers=dimers,
        seeds=(0,),
        frames=60,
        test=10,
        options={"channels": (32, 136, 16), "lmax": (0, 3, 2)},
        progress=False,
    ).to_dict("records")
    assert found["pair_rmse_meV"] < pair
    assert found["triplet_rmse_%"] < triplet
    assert found["leak_%"] < 0.5 and found["net_leak_%"] <= found["leak_%"]


def test_expansion_finds_pairs_and_triplets_of_a_periodic_box():
    table = learned_truth(
        "mw",
        seeds=(0,),
        periodic=True,
        frames=3,
        test=1,
        options={"channels": (32, 136), "lmax": (0, 3)},
        progress=False,
    )
    [found] = table.to_dict("records")
    assert found["pair_rmse_meV"] < 0.5
    assert found["triplet_rmse_%"] < 3.0
    assert found["leak_%"] == 0
    pairs, triplets, leak = learned_checks(table)
    assert pairs.passed and pairs.value == pytest.approx(found["pair_rmse_meV"])
    assert triplets.passed and triplets.limit == 3.0
    assert leak.value == found["net_leak_%"] and "with dimers" in leak.words


def test_worst_seed_goes_into_the_certificate():
    table = pd.DataFrame(
        {
            "potential": "stillinger_weber",
            "periodic": False,
            "dimers": False,
            "pair_rmse_meV": [1.0, 7.0],
            "triplet_rmse_%": [2.0, 1.0],
            "leak_%": [0.1, 0.2],
        }
    )
    pairs, triplets, leak = learned_checks(table)
    assert (pairs.value, triplets.value, leak.value) == (7.0, 2.0, 0.2)
    assert pairs.passed is False and triplets.passed and leak.passed


def test_boxes_are_periodic_and_labelled(silicon):
    [box] = structures.boxes(silicon, "Si", 27, 1, seed=4)
    assert box.pbc.all() and len(box) == 27
    assert box.get_potential_energy() == pytest.approx(sum(silicon.known_rows(box).values()))
    with pytest.raises(ValueError, match="27, 64, ..., not 30"):
        structures.boxes(silicon, "Si", 30, 1, seed=4)


def test_message_passing_leaks_into_higher_orders():
    [found] = learned_truth(
        model="message_passing",
        dimers=False,
        seeds=(0,),
        frames=24,
        test=4,
        options={"steps": 60},
        progress=False,
    ).to_dict("records")
    assert np.isfinite(found["force_rmse_meV/A"])
    assert found["leak_%"] > 2.0


def test_unknown_names_are_refused():
    with pytest.raises(TruthError, match="no truth is called 'argon'"):
        learned_truth("argon")
    with pytest.raises(TruthError, match="no model is called 'forest'"):
        learned_truth(model="forest")
    with pytest.raises(TruthError, match="for clusters only"):
        learned_truth(model="message_passing", periodic=True)


def test_spec_allows_for_higher_orders_than_the_truth_has():
    assert len(SPEC["channels"]) + 1 == 5 and SPEC["lmax"][1] > 2


# message passing


def test_network_meets_the_conditions_of_a_potential(network, silicon):
    check_potential(network, structures.grown(6, "Si", silicon.sigma, np.random.default_rng(1)))


def test_network_rows_follow_the_axioms_of_inclusion_and_exclusion(network, silicon):
    atoms = structures.grown(5, "Si", silicon.sigma, np.random.default_rng(2))
    far = atoms + Atoms("Si", positions=[[40.0, 0, 0]])
    table = decompose(network, far, order=6)
    # complete
    assert table.energy == pytest.approx(float(network.predict(far).energy), abs=1e-10)
    np.testing.assert_allclose(table.forces, network.predict(far).forces.numpy(), atol=1e-10)
    rows = {row.atoms: row.energy_eV for row in table}
    # null player: an atom that nobody feels is in no row, and an atom alone has no energy
    assert max((abs(e) for c, e in rows.items() if 5 in c), default=0.0) < 1e-10
    assert max((abs(e) for c, e in rows.items() if len(c) == 1), default=0.0) < 1e-10
    # the row of a pair is the energy of the dimer; a triplet's what the dimers leave over
    for pair in combinations(range(5), 2):
        assert rows.get(pair, 0.0) == pytest.approx(
            float(network.predict(atoms[list(pair)]).energy), abs=1e-10
        )
    trimer = float(network.predict(atoms[[0, 1, 2]]).energy)
    pairs = sum(rows.get(p, 0.0) for p in combinations((0, 1, 2), 2))
    assert rows[0, 1, 2] == pytest.approx(trimer - pairs, abs=1e-10)
    # symmetry: other names, same rows
    order = [3, 1, 4, 0, 2]
    renamed = decompose(network, atoms[order], order=5)
    for row in renamed:
        old = tuple(sorted(order[i] for i in row.atoms))
        assert row.energy_eV == pytest.approx(rows.get(old, 0.0), abs=1e-10)


def test_training_is_reproducible_and_helps(silicon):
    frames = structures.trimers(silicon, "Si", 48, seed=0)
    untrained, first, again = (
        train(frames, silicon.cutoff, steps=n, channels=8, progress=False) for n in (1, 100, 100)
    )
    energies = [float(p.predict(frames[0]).energy) for p in (first, again)]
    assert energies[0] == energies[1]
    errors = [im.evaluate(p, frames).summary()["force_rmse_meV/A"] for p in (untrained, first)]
    assert errors[1] < 0.7 * errors[0]


# quantum truth


def test_expansion_of_sets_adds_up():
    rng = np.random.default_rng(0)
    values = {s: rng.normal(size=4) for s in subsets_of(4, 4)}
    found = many_body_expansion(values)
    np.testing.assert_allclose(sum(found.values()), values[0, 1, 2, 3], atol=1e-12)
    assert subsets_of(5, 2)[-1] == (0, 1, 2, 3, 4) and len(subsets_of(5, 2)) == 16


def test_trimer_equals_a_hand_written_expansion():
    potential, atoms = im.load("water"), water_cluster(3)
    found = quantum_truth(potential, atoms, progress=False).to_frame()
    theory = resolve("gfn2-xtb")
    first, second, third = molecules_of(atoms)
    sources = {
        "quantum": lambda members: theory.evaluate(atoms[members]).energy,
        "potential": lambda members: float(potential.predict(atoms[members]).energy),
    }
    for name, energy in sources.items():
        a, b, c = energy(first), energy(second), energy(third)
        ab, ac, bc = energy(first + second), energy(first + third), energy(second + third)
        by_hand = {
            (0, 1): ab - a - b,
            (0, 2): ac - a - c,
            (1, 2): bc - b - c,
            (0, 1, 2): energy(first + second + third) - ab - ac - bc + a + b + c,
        }
        for fragments, value in by_hand.items():
            [line] = found[found.fragments == fragments].to_dict("records")
            assert line[name] == pytest.approx(value / (kcal / mol), abs=1e-10)
            assert line["order"] == len(fragments)


def test_contributions_are_sums_of_rows_of_the_table():
    potential, atoms = im.load("water"), water_cluster(3, seed=4)
    found = quantum_truth(potential, atoms, progress=False).to_frame()
    molecule_of = {a: m for m, members in enumerate(molecules_of(atoms)) for a in members}
    sums: dict[tuple, float] = {}
    for row in decompose(potential, atoms, order=potential.body_order):
        key = tuple(sorted({molecule_of[a] for a in row.atoms}))
        sums[key] = sums.get(key, 0.0) + row.energy_eV / (kcal / mol)
    for line in found.itertuples():
        assert line.potential == pytest.approx(sums[line.fragments], abs=1e-8)


def test_shares_errors_and_pictures(tmp_path):
    frames = [water_cluster(5, seed=1), water_cluster(2, seed=2), molecule("H2O")]
    out = tmp_path / "sets.extxyz"
    found = quantum_truth(im.load("water"), frames, order=3, out=out, progress=False)
    written = out.read_bytes()
    again = quantum_truth(im.load("water"), frames, order=3, out=out, progress=False)
    assert out.read_bytes() == written
    for column in ("quantum", "potential"):
        np.testing.assert_allclose(
            again.contributions[column], found.contributions[column], atol=1e-6
        )
    frame = found.to_frame()
    assert list(frame.groupby("order").size()) == [1, 11, 10]
    assert set(frame.frame) == {0, 1}
    shares = found.shares(5)
    assert list(shares.index) == [2, 3, 0]
    np.testing.assert_allclose(shares[["quantum", "potential"]].sum(), 100.0)
    np.testing.assert_allclose(found.shares(2).quantum, 100.0)
    errors = found.errors()
    assert errors.sets.tolist() == [11, 10, 1]
    assert (errors.rmse <= errors.largest + 1e-12).all()
    assert "gfn2-xtb, 2 clusters" in repr(found) and "Shares" in found._repr_html_()
    left, right = found.plot(5)
    assert "kcal/mol" in left.get_xlabel() and "%" in right.get_ylabel()


def test_former_names_of_the_level_work_and_warn():
    dimer = water_cluster(2)
    with pytest.warns(FutureWarning, match=r"quantum_truth\(level=...\)"):
        found = quantum_truth(im.load("water"), dimer, method="gfn1-xtb", progress=False)
    assert found.level == "gfn1-xtb"
    with pytest.warns(FutureWarning, match=r"QuantumTruth\.level"):
        assert found.method == "gfn1-xtb"
    with pytest.warns(FutureWarning, match=r"sample\(level=...\)"):
        [frame] = im.sample(dimer, n=1, method="gfn1-xtb", equilibration=1, interval=1)
    assert len(frame) == 6


def test_shipped_water_reproduces_many_body_shares():
    frames = read_frames(DATA / "water" / "test.extxyz.gz")
    frames = [a for a in frames if a.info["subset"] == "tetramer"][:6]
    found = quantum_truth(im.load("water"), frames, progress=False)
    assert found.errors().rmse[3] < 0.3
    assert found.shares(4).difference.abs().max() < 3.0


def test_what_has_no_expansion_is_refused():
    potential, cluster = im.load("water"), water_cluster(2)
    periodic = cluster.copy()
    periodic.set_cell([20, 20, 20])
    periodic.pbc = True
    with pytest.raises(StructureError, match="not periodic"):
        quantum_truth(potential, periodic, progress=False)
    with pytest.raises(StructureError, match="two molecules"):
        quantum_truth(potential, molecule("H2O"), progress=False)
    with pytest.raises(ValueError, match="2 or more"):
        quantum_truth(potential, cluster, order=1)


def test_float32_potential_is_expanded_in_float64():
    potential = im.load("water")
    single = potential.float() if potential.dtype == torch.float64 else potential
    found = quantum_truth(single, water_cluster(3), progress=False).to_frame()
    far = water_cluster(2)
    far.positions[3:] += 30.0
    alone = quantum_truth(single, far, progress=False).to_frame()
    assert abs(alone.potential.iloc[0]) < 1e-8
    assert np.isfinite(found.potential).all()
