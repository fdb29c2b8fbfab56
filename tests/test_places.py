"""Where results are to stand: what is no such place is said at once, by every verb that writes."""

import numpy as np
import pytest
from ase.build import molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE

WATER = molecule("H2O")
QUIET = {"progress": False}


@pytest.fixture(scope="module")
def verbs():
    """All that take `out` or a path: of a file, with its ending, or of a folder (None)."""
    water, malonaldehyde = im.load("water"), im.load("malonaldehyde")
    frames = im.label(im.sample(WATER, "rattle", n=12, **QUIET), "gfn2-xtb", **QUIET)
    run = im.simulate(water, WATER, steps=2, interval=1, **QUIET)
    relaxed = im.relax(water, WATER, **QUIET).atoms
    transfer, top = im.proton_transfer(8, 4, 0), MALONALDEHYDE.copy()
    top.positions[8] = top.positions[[0, 4]].mean(0)
    stretch = lambda atoms: atoms.get_distance(0, 1)  # noqa: E731
    curves = im.distil(water, run, terms=("pairs",), **QUIET)
    held = {"low": 0.9, "middle": 1.0, "high": 1.1, "steps": 4, "equilibration": 0}
    growing = im.fit(frames, spec={"weights": 60, "basis": 5}, **QUIET).potential
    return {
        "simulate": (".traj", lambda o: im.simulate(water, WATER, steps=2, out=o, **QUIET)),
        "label": (".extxyz", lambda o: im.label(frames[:1], "gfn2-xtb", out=o, **QUIET)),
        "relax": (".traj", lambda o: im.relax(water, WATER, out=o, **QUIET)),
        "normal_modes": (".traj", lambda o: im.normal_modes(water, WATER, out=o, **QUIET)),
        "scan": (".traj", lambda o: im.scan(water, WATER, (0, 1), [0.9, 1.0], out=o, **QUIET)),
        "path": (".traj", lambda o: im.path(water, WATER, relaxed, out=o, **QUIET)),
        "trajectory": (
            ".jsonl",
            lambda o: im.explain_trajectory(water, run, im.Force(0), out=o, **QUIET),
        ),
        "shoot": (
            ".jsonl",
            lambda o: im.shoot(malonaldehyde, top, transfer, n=1, out=o, **QUIET),
        ),
        "conformers": (
            ".jsonl",
            lambda o: im.conformers("CO", "gfn2-xtb", seeds=1, out=o, **QUIET),
        ),
        "on_the_fly": (".extxyz", lambda o: im.on_the_fly(growing, frames, "gfn2-xtb", out=o)),
        "explanation": (".npz", lambda o: im.explain(water, WATER).save(o)),
        "frames": (".extxyz", lambda o: run.write(o)),
        "openmm": (".xml", lambda o: curves.to_openmm(path=o)),
        "fit": (None, lambda o: im.fit(frames, out=o, **QUIET)),
        "potential": (None, lambda o: water.save(o)),
        "learn": (
            None,
            lambda o: im.learn(frames[:6], frames[6:], batch=2, budget=6, out=o, **QUIET),
        ),
        "umbrella": (
            None,
            lambda o: im.umbrella(water, WATER, stretch, [0.9, 1.0, 1.1], out=o, **held, **QUIET),
        ),
        "replicas": (None, lambda o: im.replicas(water, WATER, range(2), steps=2, out=o)),
    }


def refused(name, verb, place):
    """Whether a verb says that it is no place, with an error of interpmd's own."""
    try:
        verb(place)
    except (im.OutputError, im.ArgumentError, im.PotentialFileError):
        return
    pytest.fail(f"{name} took {place[:20]!r}")


def test_what_is_no_place_is_said(verbs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    for name, (ending, verb) in verbs.items():
        end = ending or ""
        for wrong in ("n" * 300 + end, "file/x" + end, f"a\0b{end}"):
            refused(name, verb, wrong)
        if ending is None:
            refused(name, verb, "file")
        else:
            (tmp_path / f"folder{ending}").mkdir(exist_ok=True)
            refused(name, verb, f"folder{ending}")
            refused(name, verb, "")
    assert (tmp_path / "file").read_text() == "x"
    left = {path.name for path in tmp_path.iterdir()} - {"file"}
    assert all(name.startswith("folder.") for name in left), "nothing else was written"


def test_an_explanation_that_is_not_there_is_said(tmp_path):
    with pytest.raises(im.ExplanationFileError, match="there is no file"):
        im.load_explanation(tmp_path / "none.npz")
    np.save(tmp_path / "other.npy", np.arange(3))
    (tmp_path / "text.npz").write_text("not an archive")
    for name in ("other.npy", "text.npz"):
        with pytest.raises(im.ExplanationFileError) as error:
            im.load_explanation(tmp_path / name)
        assert "allow_pickle" not in str(error.value)


def test_runs_and_files_take_numbers_of_numpy(tmp_path):
    """And know them again: numbers of numpy are those of Python in every file."""
    malonaldehyde, transfer = im.load("malonaldehyde"), im.proton_transfer(8, 4, 0)
    whole, real, top = np.int64, np.float32, MALONALDEHYDE.copy()
    top.positions[8] = top.positions[[0, 4]].mean(0)
    verbs = {
        "run.traj": lambda i, f, o: im.simulate(
            malonaldehyde, MALONALDEHYDE, "nvt", temperature=f(300), steps=i(4), interval=i(2),
            seed=i(1), out=o, **QUIET,
        ),
        "relaxed.traj": lambda i, f, o: im.relax(
            malonaldehyde, MALONALDEHYDE, force=f(0.5), steps=i(9), out=o, **QUIET
        ),
        "windows": lambda i, f, o: im.umbrella(
            malonaldehyde, MALONALDEHYDE, transfer, i(2), temperature=f(300), steps=i(6),
            equilibration=i(2), seed=i(1), out=o, **QUIET,
        ),
        "shots.jsonl": lambda i, f, o: im.shoot(
            malonaldehyde, top, transfer, i(1), temperature=f(300), seed=i(1), out=o, **QUIET
        ),
        "frames.jsonl": lambda i, f, o: im.explain_trajectory(
            malonaldehyde, [MALONALDEHYDE], im.Force(i(8), along=i(0)), order=i(2), out=o, **QUIET
        ),
        "conformers.jsonl": lambda i, f, o: im.conformers(
            "CO", "gfn2-xtb", seeds=i(1), seed=i(1), out=o, **QUIET
        ),
        "replicas": lambda i, f, o: im.replicas(
            malonaldehyde, MALONALDEHYDE, np.arange(2) if i is whole else range(2), steps=i(4),
            out=o,
        ),
        "beads": lambda i, f, o: im.path_integrals(
            malonaldehyde, MALONALDEHYDE, beads=i(2), steps=i(2), interval=i(1), seed=i(1),
            out=o, **QUIET,
        ),
    }  # fmt: skip
    for name, verb in verbs.items():
        verb(whole, real, tmp_path / name)
        verb(int, float, tmp_path / name)  # the same file, the same question


def test_seeds_of_numpy_are_seeds():
    frames = im.label(im.sample(WATER, "rattle", n=12, **QUIET), "gfn2-xtb", **QUIET)
    spec = {"weights": 60, "basis": 5}
    fits = [im.fit(frames, spec=spec, seed=s, **QUIET).potential for s in (3, np.int64(3))]
    assert float(fits[0].predict(WATER).energy) == float(fits[1].predict(WATER).energy)
    random = [
        im.explain(fits[0], WATER, method="kernel_shap", samples=20, seed=s).values
        for s in (1, np.int32(1))
    ]
    np.testing.assert_array_equal(*random)
