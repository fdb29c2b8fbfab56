"""Generated code gives the numbers of torch, survives what caches go through, and steps aside."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.io import read
from hypothesis import given, settings
from hypothesis import strategies as st

import interpmd as im
from interpmd.decomposition import stars
from interpmd.fitting.design import design, design_by_torch
from interpmd.potentials import D3, ClusterExpansion, LennardJones, Potential, fast
from interpmd.potentials.base import TERMS, LocalTerm
from interpmd.potentials.fast import expansion, machine
from interpmd.potentials.fast.evaluator import FastPotential
from interpmd.potentials.fast.expansion import Tables
from interpmd.potentials.fast.neighbours import search
from interpmd.potentials.fast.polynomials import polynomial
from interpmd.potentials.uncertainty import posterior, posterior_by_torch
from interpmd.structures.edges import environments, neighbours

DATA = Path(__file__).parents[2] / "data"

ELEMENTS = (1, 6, 7, 8)


def deviation(potential: Potential, structures, stress: bool = False) -> tuple[float, float]:
    """Largest deviations of site energies and forces (and stresses) from torch."""
    found, expected = (
        predict(structures, stress=stress)
        for predict in (potential.predict, potential.predict_by_torch)
    )
    forces = (found.forces - expected.forces).abs().max()
    if stress:
        forces = max(forces, (found.stress - expected.stress).abs().max())
    assert (found.energy - expected.energy).abs().max() < 1e-10 * len(found.forces)
    return float((found.site_energies - expected.site_energies).abs().max()), float(forces)


def random_expansion(seed: int, elements=ELEMENTS, degrees: int = 4, cutoff: float = 4.0):
    """An expansion of random shape with a random read-out; odd ones have other channels for each
    element."""
    rng = np.random.default_rng(seed)
    lmax = [int(rng.integers(0, 4)) for _ in range(degrees)]
    channels = [int(rng.integers(1, 12)) for _ in range(degrees)]
    if seed % 2:
        channels = rng.integers(1, 30, (len(elements), degrees)).tolist()
    term = ClusterExpansion(
        elements,
        cutoff,
        lmax=lmax,
        channels=channels,
        functions=int(rng.integers(2, 9)),
        gain=float(rng.uniform(0.5, 3)),
        seed=seed,
    )
    term.readout.copy_(term.in_readout(rng.normal(size=len(term.columns))))
    return term


def cloud(seed: int, size: int, spread: float, elements=ELEMENTS) -> Atoms:
    rng = np.random.default_rng(seed)
    grid = rng.permutation(np.argwhere(np.ones((4, 4, 4))))[:size]
    positions = spread * (grid + rng.uniform(-0.2, 0.2, (size, 3)))
    return Atoms(rng.choice(elements, size), positions=positions)


def force_road(monkeypatch, few: bool) -> None:
    monkeypatch.setattr(Tables, "few_edges", np.inf if few else 0)


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize(
    "name", ["malonaldehyde", "alanine_dipeptide", "water", "water_liquid", "copper"]
)
def test_shipped_potentials(name, few, monkeypatch):
    force_road(monkeypatch, few)
    frames = read(DATA / name / "test.extxyz.gz", "::100")
    energies, forces = deviation(im.load(name), frames)
    assert energies < 5e-11
    assert forces < 5e-10


def test_periodic_water_on_both_roads(monkeypatch):
    rng = np.random.default_rng(0)
    water, positions = molecule("H2O"), []
    for place in np.ndindex(2, 2, 2):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        positions.append(water.positions @ turn.T + 3.1 * np.array(place))
    box = Atoms("OHH" * 8, np.concatenate(positions), cell=[6.2] * 3, pbc=True)
    for few in (True, False):
        force_road(monkeypatch, few)
        energies, forces = deviation(im.load("water"), box, stress=True)
        assert energies < 5e-11
        assert forces < 5e-10


@pytest.mark.parametrize("few", [True, False])
@settings(max_examples=12)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 12),
    spread=st.floats(1.3, 3.5),
    n_elements=st.integers(1, 4),
    degrees=st.integers(1, 4),
)
def test_any_expansion_on_any_cluster(few, seed, size, spread, n_elements, degrees):
    elements = ELEMENTS[:n_elements]
    term, atoms = random_expansion(seed, elements, degrees), cloud(seed, size, spread, elements)
    with pytest.MonkeyPatch.context() as patch:
        force_road(patch, few)
        energies, forces = deviation(Potential([term]), atoms)
    scale = 1 + float(Potential([term]).predict_by_torch(atoms).forces.abs().max())
    assert energies < 5e-12 * scale
    assert forces < 5e-11 * scale


@pytest.mark.parametrize("few", [True, False])
@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 4), pbc=st.lists(st.booleans(), min_size=3))
def test_cells_smaller_than_the_cutoff(few, seed, size, pbc):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(2.5, 4.5, 3)) + rng.uniform(-0.5, 0.5, (3, 3))
    scaled = (np.argwhere(np.ones((2, 2, 2)))[:size] + rng.uniform(-0.1, 0.1, (size, 3))) / 2
    turns = rng.integers(-3, 4, (size, 3)) * np.array(pbc[:3])  # atoms anywhere
    atoms = Atoms(rng.choice(ELEMENTS, size), (scaled + turns) @ cell, cell=cell, pbc=pbc[:3])
    potential = Potential([random_expansion(seed)])
    scale = 1 + float(potential.predict_by_torch(atoms).forces.abs().max())
    with pytest.MonkeyPatch.context() as patch:
        force_road(patch, few)
        energies, forces = deviation(potential, atoms, stress=all(pbc[:3]))
    assert energies < 5e-12 * scale
    assert forces < 1e-10 * scale


@pytest.mark.parametrize("few", [True, False])
def test_isolated_atoms_and_atoms_at_the_cutoff(few, monkeypatch):
    force_road(monkeypatch, few)
    potential = Potential([random_expansion(3, cutoff=4.0)])
    alone = potential.predict(Atoms("O"))
    assert not alone.site_energies.any()
    assert not alone.forces.any()
    for distance in (4.0, 4.0 - 1e-12, 4.0 - 1e-3, 4.0 + 1e-12, 8.0):
        pair = Atoms("OC", [[0, 0, 0], [distance, 0, 0]])
        energies, forces = deviation(potential, pair + Atoms("H", [[0, 2.0, 0]]))
        assert energies < 1e-12
        assert forces < 1e-11
        force = potential.predict(pair).forces.abs().max()
        assert force == 0 if distance >= 4.0 else force < 1e-6
    assert potential.predict(Atoms("OC", [[0, 0, 0], [3.9, 0, 0]])).forces.abs().max() > 1e-6


def test_batches_and_known_neighbours():
    potential = Potential([random_expansion(5), *(TERMS[k].example() for k in ("repulsion", "mw"))])
    crystal = Atoms("OC", [[0, 0, 0], [1.5, 1.6, 1.4]], cell=[3, 3.2, 3.4], pbc=True)
    batch = potential.batch([cloud(1, 7, 1.5), Atoms("N"), crystal, cloud(2, 3, 1.5)])
    assert deviation(potential, batch)[1] < 1e-10
    known = potential.predict(batch, potential.neighbours(batch))
    assert (known.forces - potential.predict_by_torch(batch).forces).abs().max() < 1e-10


def test_stress_with_known_neighbours():
    potential = Potential([random_expansion(5), *(TERMS[k].example() for k in ("repulsion", "mw"))])
    crystal = Atoms("OC", [[0, 0, 0], [1.5, 1.6, 1.4]], cell=[3, 3.2, 3.4], pbc=True)
    batch = potential.batch([crystal, crystal.repeat((2, 1, 1))])
    known = potential.predict(batch, potential.neighbours(batch), stress=True)
    expected = potential.predict_by_torch(batch, stress=True)
    assert (known.stress - expected.stress).abs().max() < 1e-10


@pytest.mark.parametrize("kind", sorted(TERMS))
def test_every_term(kind):
    potential = Potential([TERMS[kind].example()])
    dense = cloud(4, 9, 1.1, [1, 6, 8])  # all terms act, between unlike elements too
    energies, forces = deviation(potential, dense)
    expected = potential.predict_by_torch(dense)
    assert expected.site_energies.abs().max() > 1e-4
    assert energies < 1e-11 * (1 + expected.site_energies.abs().max())
    assert forces < 1e-10 * (1 + expected.forces.abs().max())


def test_terms_of_other_kinds_are_added_in_torch():
    class Spring(LocalTerm):
        kind, body_order, cutoff = "spring", 2, 3.0

        def forward(self, env):
            energy = (3.0 - env.vectors.norm(dim=1)).clamp(min=0) ** 3
            return energy.new_zeros(env.n_sites).index_add(0, env.centre, energy)

        @classmethod
        def example(cls):
            return cls()

        def config(self):
            return {}

    class Louder(LennardJones):
        def bare(self, distances):
            return 3 * super().bare(distances)

    atoms = molecule("CH3CH2OH")
    terms = {"a": Spring(), "b": Louder(0.1, 1.4, 4.0), "c": random_expansion(1), "d": D3.example()}
    potential = Potential(terms, elements=ELEMENTS)
    assert deviation(potential, atoms)[1] < 1e-10
    without = Potential({"c": terms["c"]}).predict(atoms).forces
    assert (potential.predict(atoms).forces - without).abs().max() > 0.1
    found = potential.calculator().get_property("forces", atoms)
    assert np.abs(found - potential.predict_by_torch(atoms).forces.numpy()).max() < 1e-10


def test_float32_is_good_for_forces():
    potential, frames = im.load("malonaldehyde"), read(DATA / "malonaldehyde/test.extxyz.gz", ":3")
    single, double = potential.calculator(precision="float32"), potential.calculator()
    for atoms in frames:
        difference = single.get_property("forces", atoms) - double.get_property("forces", atoms)
        assert 1e-9 < np.abs(difference).max() < 1e-4
    with pytest.raises(im.ArgumentError, match="float16"):
        potential.calculator(precision="float16")


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("draws", [None, 5])
def test_error_bars(few, draws, monkeypatch):
    force_road(monkeypatch, few)
    potential = im.load("malonaldehyde") + Potential([LennardJones(0.1, 1.4, 4.0)])
    frames = read(DATA / "malonaldehyde/test.extxyz.gz", ":3")
    batch = potential.batch([*frames, frames[0][:2]])
    for pairs in (None, potential.neighbours(batch)):
        drawn = posterior(potential, batch, pairs, draws)
        expected = posterior_by_torch(potential, batch, pairs, draws)
        for name in ("energies", "forces", "grades"):
            one, other = getattr(drawn, name), getattr(expected, name)
            assert other.max() > 1e-3 and one.shape == other.shape
            assert (one - other).abs().max() < 1e-9 * other.abs().max()
    assert drawn.forces.shape[0] == (draws or potential.terms["expansion"].n_samples)


def two_with_samples() -> Potential:
    """Two expansions with samples of their weights, and one without."""
    terms = {"a": random_expansion(1), "b": random_expansion(2), "c": random_expansion(3)}
    generator = torch.Generator().manual_seed(0)
    for name in ("a", "b"):
        shape = (len(terms[name].columns), 4)
        drawn = torch.randn(shape, generator=generator).double().numpy()
        terms[name].samples = terms[name].in_readout(drawn)
    terms["b"].grade_scale.mul_(3.0)
    return Potential(terms)


def test_error_bars_of_many_sites_and_of_two_expansions():
    potential, atoms = two_with_samples(), [cloud(1, 40, 1.6)] * 8
    batch = potential.batch(atoms)
    drawn, expected = posterior(potential, batch), posterior_by_torch(potential, batch)
    for name in ("energies", "forces", "grades"):
        one, other = getattr(drawn, name), getattr(expected, name)
        assert (one - other).abs().max() < 1e-9 * other.abs().max()


@pytest.mark.parametrize("name", ["malonaldehyde", "small_molecules", "water_liquid", "copper"])
def test_a_glance_at_one_structure(name):
    """Grade and parts, as the error bars have them."""
    potential = im.load(name)
    assert potential.terms["expansion"].n_samples
    file = DATA / name / "test.extxyz.gz"
    near, alone = read(file, "0"), read(file, "0")[:1]
    alone.pbc = False
    squeezed, apart = near.copy(), near.copy()
    squeezed.positions[1] += 0.7 * (squeezed.positions[0] - squeezed.positions[1])
    apart.pbc = False
    apart.positions[0] += 100.0
    found = []
    for atoms in (near, squeezed, apart, alone):
        grade, parts = fast.glance(potential, atoms, 4)
        expected = posterior_by_torch(potential, potential.batch(atoms), draws=4)
        assert grade == pytest.approx(float(expected.grades.max()), rel=1e-9)
        assert parts == int(expected.parts[0])
        found.append((grade, parts))
    grades, parts = zip(*found, strict=True)
    assert grades[0] < 1 < min(grades[1:3]) and parts == (1, 1, 2, 1)


def test_a_glance_at_two_expansions():
    potential, atoms = two_with_samples(), cloud(1, 9, 1.6)
    grade, _ = fast.glance(potential, atoms, 3)
    expected = posterior_by_torch(potential, potential.batch(atoms), draws=3)
    assert grade == pytest.approx(float(expected.grades.max()), rel=1e-9)
    assert fast.glance(Potential([LennardJones(0.1, 1.4, 4.0)]), atoms, 3) is None


def test_invariants_of_three_factors_share_their_products():
    """All pairs of factors that couple first are of few kinds: it is what their time goes with."""
    assert sum(len(part.products) for part in polynomial(3, 4).couplings) == 122


@pytest.mark.parametrize("degrees", [1, 2, 3, 4])
def test_rows_of_the_fit(degrees):
    term = random_expansion(20 + degrees, degrees=degrees)
    crystal = Atoms(
        "OCN", [[0, 0, 0], [1.5, 1.6, 1.4], [0.2, 1.7, 0]], cell=[3, 3.2, 3.4], pbc=True
    )
    batch = Potential([term]).batch([cloud(3, 6, 1.5), crystal, Atoms("H")])
    pairs = neighbours(batch, term.cutoff)
    with torch.no_grad():
        found, expected = (f(term, batch, pairs, True) for f in (design, design_by_torch))
    for name in ("energy", "forces", "virial"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.shape == other.shape
        assert other.abs().max() > 1e-3
        assert (one - other).abs().max() < 1e-11 * (1 + other.abs().max())
    assert design(term, batch, pairs).virial is None
    by_weights = found.forces.flatten(0, 1) @ term.readout.flatten()[term.columns]
    forces = Potential([term]).predict_by_torch(batch).forces.flatten()
    assert (by_weights - forces).abs().max() < 1e-9 * (1 + forces.abs().max())


@pytest.mark.parametrize("kind", ["expansion", "repulsion", "stillinger_weber", "isolated"])
def test_sites_of_the_table(kind):
    term = TERMS[kind].example()
    if kind == "expansion":
        generator = torch.Generator().manual_seed(0)
        term.samples = torch.randn((*term.readout.shape, 6), generator=generator)
    batch = Potential([term]).batch(cloud(8, 7, 1.5, [1, 6, 8]))
    env = environments(batch, neighbours(batch, max(term.cutoff, 1.0)))
    found = fast.on_environments(term, env)
    torch_values = stars.energies_by_torch(term, env)
    expected = (torch_values.energies, torch_values.gradients, torch_values.samples)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max(initial=0) < 1e-10
    assert found[0].any()
    gates = torch.full((len(env.vectors),), 0.5, dtype=torch.float64)
    assert fast.on_environments(term, replace(env, gates=gates)) is None


def test_weights_that_change_are_seen():
    term = random_expansion(7)
    potential, atoms = Potential([term]), cloud(7, 6, 1.5)
    before = potential.predict(atoms).energy.clone()
    term.readout.mul_(2.0)
    assert potential.predict(atoms).energy == pytest.approx(2 * before, abs=1e-10)
    term.radial.second.data = term.radial.second.data * 1.1
    assert deviation(potential, atoms)[1] < 1e-9
    assert potential.predict(atoms).energy != pytest.approx(2 * before, abs=1e-6)
    single = potential.float().predict(atoms)
    assert single.forces.dtype == torch.float32
    morse = Potential([LennardJones(0.1, 1.4, 4.0)])
    first = morse.predict(atoms).energy
    morse.terms["lennard_jones"].epsilon = 0.2
    assert morse.predict(atoms).energy == pytest.approx(2 * first)


def test_search_finds_what_vesin_finds():
    from vesin import NeighborList

    rng = np.random.default_rng(2)
    for pbc in ([True] * 3, [True, False, True], [False] * 3):
        cell = np.diag([9.0, 11.0, 14.0]) + rng.uniform(-2, 2, (3, 3))
        positions = rng.uniform(-1, 2, (150, 3)) @ cell
        found, least = search(positions, cell, np.array(pbc), 4.0)
        listing = NeighborList(cutoff=4.0, full_list=True, sorted=True)
        box = cell if any(pbc) else np.zeros((3, 3))
        i, j, distances = listing.compute(positions, box, periodic=pbc, quantities="ijd")
        centre = np.repeat(np.arange(150), np.diff(found.first))
        lengths = np.linalg.norm(found.vectors, axis=1)
        assert least == pytest.approx(distances.min(), abs=1e-9)
        mine = np.rec.fromarrays([centre, found.neighbour, lengths.round(9)])
        theirs = np.rec.fromarrays([i.astype(int), j.astype(int), distances.round(9)])
        assert len(mine) > 100
        assert np.array_equal(np.sort(mine), np.sort(theirs))


def test_errors_are_those_of_torch():
    potential = Potential([random_expansion(1)])
    close = Atoms("OH", [[0, 0, 0], [0.1, 0, 0]])
    thin = Atoms("O", cell=[0.3, 5, 5], pbc=True)
    for wrong, words in ((close, "0.1 Å apart"), (thin, "0.3 Å thick"), (Atoms("Xe"), "Xe")):
        for found in (potential.predict, potential.calculator().get_potential_energy):
            with pytest.raises(im.InterpmdError, match=words):
                found(wrong)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    machine.assemble.cache_clear()
    yield tmp_path / "interpmd" / "machine_code"
    machine.assemble.cache_clear()


def compiled_anew() -> tuple[bool, float]:
    """Whether the code of a small expansion was compiled, not read, and a force that it gives."""
    machine.assemble.cache_clear()
    potential, atoms = Potential([random_expansion(11)]), cloud(11, 5, 1.5)
    force = float(potential.predict(atoms).forces[0, 0])
    (made,) = fast.ready(potential).expansions.values()
    return made.tables.few_code[1].compiled, force


def test_machine_code_is_kept_on_disk(cache):
    anew, force = compiled_anew()
    assert anew
    (entry,) = cache.glob("*.o")
    assert compiled_anew() == (False, force)
    content = entry.read_bytes()
    flipped = content[:200] + bytes([content[200] ^ 1]) + content[201:]
    for broken in (b"", b"not machine code", content[:-100], flipped):
        entry.write_bytes(broken)
        assert compiled_anew() == (True, force)
        assert entry.read_bytes() == content
    assert [path.name for path in cache.iterdir()] == [entry.name]  # nothing half written


def test_cache_that_cannot_be_written(cache, tmp_path):
    (tmp_path / "interpmd").write_text("a file where the folder should be")
    assert compiled_anew()[0]


def test_code_of_a_new_shape_takes_no_more_than_seconds(cache):
    import time

    potential = im.load("alanine_dipeptide")
    (made,) = FastPotential(potential).expansions.values()
    for name in ("few_code", "code_of_draws", "many_code"):
        started = time.process_time()
        _, code = getattr(made.tables, name)
        assert all(each.compiled for each in (code if isinstance(code, tuple) else (code,)))
        assert time.process_time() - started < 3.0


def forces_in_a_process(potential: Potential, atoms: Atoms, queue) -> None:
    queue.put(potential.predict(atoms).forces.numpy())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    potential, atoms = Potential([random_expansion(9)]), cloud(9, 6, 1.5)
    expected = potential.predict(atoms).forces.numpy()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=forces_in_a_process, args=(potential, atoms, queue))
    process.start()
    assert np.array_equal(queue.get(timeout=500), expected)
    process.join()
    assert process.exitcode == 0


def test_copies_pickles_and_threads():
    potential, atoms = Potential([random_expansion(10)]), cloud(10, 8, 1.5)
    calculator = potential.calculator()
    expected = calculator.get_property("forces", atoms)
    for other in (copy.deepcopy(calculator), pickle.loads(pickle.dumps(calculator))):
        assert np.array_equal(other.get_property("forces", atoms), expected)
    twin = copy.deepcopy(potential)
    twin.terms["expansion"].readout.mul_(3.0)
    assert np.allclose(twin.predict(atoms).forces, 3 * expected, atol=1e-10)
    assert np.array_equal(potential.predict(atoms).forces.numpy(), expected)
    fresh = Potential([random_expansion(10)])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: fresh.predict(atoms).forces.numpy(), range(200)))
    assert all(np.array_equal(result, expected) for result in results)


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )


def test_without_numba_torch_takes_over_and_says_so_once():
    found = run(
        """
        import sys
        sys.modules["numba"] = None
        import interpmd as im
        from ase.build import molecule
        from interpmd.potentials import StillingerWeber, Potential
        potential = Potential([StillingerWeber.example()])
        one = potential.predict(molecule("H2O")).energy
        assert one == potential.predict_by_torch(molecule("H2O")).energy and one != 0
        potential.calculator().get_potential_energy(molecule("H2O"))
        assert im.potentials.fast.warm_up() == 0
        """
    )
    assert found.stderr.count("SlowPathWarning: numba not installed") == 1


#: Calls every kind of kernel: error bars, rows of a fit, cells, charges, few and many neighbours.
USES = """
import numpy as np
import interpmd as im
from ase.build import bulk, molecule
from interpmd.potentials.fast import warm_up
warm_up()
water = molecule("H2O")
box = molecule("H2O", cell=[[9.0, 0, 0], [1, 9, 0], [0, 0, 9]], pbc=True)
crowd = im.sample([water], "dimers", n=1, seed=0)[0]
for name, structures in {"water": [water, box, crowd], "water_liquid": [box, water]}.items():
    potential = im.load(name)
    for atoms in structures:
        calculator = potential.calculator()
        for quantity in ("forces", "forces_std", "extrapolation"):
            assert np.isfinite(calculator.get_property(quantity, atoms)).all()
        potential.predict(atoms, stress=bool(atoms.pbc.all()))
im.load("copper").calculator().get_property("forces_std", bulk("Cu", cubic=True) * (3, 3, 3))
labelled = im.label([water, crowd], "emt", progress=False)
im.fit(labelled, spec={"weights": 60}, progress=False)
"""


def test_all_kernels_are_compiled_at_once_which_is_announced_and_kept(tmp_path):
    first = run(
        "from interpmd.potentials.fast import warm_up; warm_up()", NUMBA_CACHE_DIR=str(tmp_path)
    )
    assert first.stderr.count("compiling the fast evaluator") == 1
    second = run(USES, NUMBA_CACHE_DIR=str(tmp_path))
    assert "compiling" not in second.stderr
    assert "fast evaluator ready" in second.stderr


def test_the_cheaper_road_is_taken():
    (malonaldehyde,) = FastPotential(im.load("malonaldehyde")).expansions.values()
    (water,) = FastPotential(im.load("water")).expansions.values()
    assert malonaldehyde.tables.few_edges > 8
    assert water.tables.few_edges < 80
    large = expansion.LARGEST_TABLE
    assert large > malonaldehyde.tables.folded.nbytes
