"""Whatever takes structures takes a file of them, a part of it, and a trajectory of others."""

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import StructureError, StructureFileError
from interpmd.structures.files import one_structure

ASK = {"progress": False}


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def path(tmp_path_factory, potential):
    """Three labelled frames."""
    frames = im.label(
        im.sample(MALONALDEHYDE, "rattle", n=3, seed=0, stdev=0.02), potential.calculator(), **ASK
    )
    file = tmp_path_factory.mktemp("frames") / "three.xyz"
    write(file, frames, format="extxyz")
    return str(file)


@pytest.fixture(scope="module")
def frames(path):
    return im.read_frames(path)


def test_functions_of_many(path, frames, potential, tmp_path):
    energies = potential.predict(frames).energy
    assert np.allclose(potential.predict(path).energy, energies)
    assert np.allclose(potential.predict_by_torch(f"{path}@1:").energy, energies[1:])
    assert np.allclose(potential.predict([f"{path}@2", frames[0]]).energy, energies[[2, 0]])
    assert im.Batch.from_ase(path).n_structures == 3
    assert im.evaluate(potential, path).summary()["energy_rmse_meV"] < 1e-3
    assert len(im.label(path, potential.calculator(), **ASK)) == 3
    assert len(im.sample(f"{path}@:2", "rattle", n=4)) == 4
    assert len(im.explain_trajectory(potential, path, im.Force(8), by="kind", **ASK).frame) == 3
    assert im.groups_of(path).names == im.groups_of(frames).names
    assert len(im.ForceExplorer(potential, f"{path}@:2").state.frames) == 2
    found = im.certify(potential, f"{path}@0", **ASK)
    assert found.check("axioms", "completeness") if hasattr(found, "check") else found
    comparison = im.reproducibility(potential, potential, f"{path}@:2", im.Force(8), **ASK)
    assert comparison is not None


def test_functions_of_one(path, frames, potential, tmp_path):
    last = f"{path}@-1"
    assert im.explain(potential, last, im.Force(8, along=0)).total == pytest.approx(
        im.explain(potential, frames[-1], im.Force(8, along=0)).total
    )
    assert im.decompose(potential, last, order=2).energy == pytest.approx(
        im.decompose(potential, frames[-1], order=2).energy
    )
    assert im.fragments_of(last) == im.fragments_of(frames[-1])
    run = im.simulate(potential, last, steps=2, interval=1, **ASK)
    assert np.allclose(run[0].positions, frames[-1].positions)
    assert len(im.LiveMD(potential, last)._atoms) == 9
    assert len(im.GeometryLab(potential, last).start) == 9
    for ask in (
        lambda: im.explain(potential, path),
        lambda: im.decompose(potential, path),
        lambda: im.simulate(potential, path, **ASK),
        lambda: im.fragments_of(path),
    ):
        with pytest.raises(
            StructureError, match=r"3 are given; choose one, as in '.*three.xyz@-1'"
        ):
            ask()


def test_what_holds_no_structure_is_named_by_all(potential):
    for ask in (
        lambda: im.explain(potential, "nowhere.xyz"),
        lambda: potential.predict("nowhere.xyz"),
        lambda: im.fit("nowhere.xyz"),
        lambda: im.label("nowhere.xyz"),
        lambda: im.explain_trajectory(potential, "nowhere.xyz"),
        lambda: im.quantum_truth(potential, "nowhere.xyz"),
        lambda: im.doctor(potential, train="nowhere.xyz"),
    ):
        with pytest.raises(StructureFileError, match=r"no file nowhere.xyz"):
            ask()


def test_trajectories_of_others_are_explained(potential, tmp_path, frames):
    md = pytest.importorskip("mdtraj")
    write(tmp_path / "top.pdb", frames[0], format="proteindatabank")
    theirs = md.load(str(tmp_path / "top.pdb"))
    found = im.explain(potential, theirs, im.Force(8, along=0))
    ours = im.explain(potential, one_structure(tmp_path / "top.pdb"), im.Force(8, along=0))
    assert found.total == pytest.approx(ours.total, abs=1e-3)
    table = im.explain_trajectory(potential, theirs, im.Force(8), by="kind", **ASK)
    assert table.time_fs.values.tolist() == [0.0]


def test_water_by_file(tmp_path):
    write(tmp_path / "water.xyz", molecule("H2O"))
    assert float(im.load("water").predict(tmp_path / "water.xyz").energy) == pytest.approx(
        -138, abs=1
    )
