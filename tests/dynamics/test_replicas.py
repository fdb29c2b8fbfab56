"""Several runs at once: each is the run of its own seed."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import LennardJones, Potential

ARGON = Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.0)])


@pytest.mark.parametrize("engine", ["torch_sim", "openmm"])
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_each_replica_is_the_run_of_its_seed(engine, ensemble):
    options = {"ensemble": ensemble, "steps": 30, "interval": 10, "progress": False}
    options |= {"engine": engine, "equilibration": 10}
    potential = im.load("malonaldehyde")
    several = im.replicas(potential, MALONALDEHYDE, [3, 1, 7], **options)
    for seed, run in zip([3, 1, 7], several, strict=True):
        alone = im.simulate(potential, MALONALDEHYDE, seed=seed, **options)
        assert run.settings == alone.settings
        assert run.times.tolist() == alone.times.tolist()
        assert np.abs(run.positions - alone.positions).max() < 1e-9
        assert np.abs(run.total_energies - alone.total_energies).max() < 1e-8
    assert np.abs(several[0].positions[-1] - several[1].positions[-1]).max() > 1e-3


def test_replicas_under_pressure_each_have_a_cell():
    crystal = bulk("Ar", cubic=True, a=5.35) * (2, 2, 2)
    runs = im.replicas(
        ARGON,
        crystal,
        range(3),
        "npt",
        temperature=40,
        steps=40,
        timestep=4.0,
        friction=0.01,
        compressibility=1e-4,
        barostat_time=200,
        progress=False,
    )
    volumes = [run[-1].get_volume() for run in runs]
    assert np.ptp(volumes) > 1.0
    again = im.simulate(
        ARGON,
        crystal,
        "npt",
        temperature=40,
        steps=40,
        timestep=4.0,
        friction=0.01,
        seed=2,
        compressibility=1e-4,
        barostat_time=200,
        progress=False,
        engine="torch_sim",
    )
    assert again[-1].get_volume() == pytest.approx(volumes[2], rel=1e-10)


def test_replicas_go_on_where_their_files_end_even_if_one_is_missing(tmp_path):
    options = {"steps": 30, "interval": 10, "progress": False}
    potential = im.load("water")
    water = im.read_frames("data/water/test.extxyz.gz@0")[0]
    whole = im.replicas(potential, water, range(3), out=tmp_path, **options)
    (tmp_path / "replica-1.traj").unlink()
    (tmp_path / "replica-1.traj.json").unlink()
    again = im.replicas(potential, water, range(4), out=tmp_path, **options | {"steps": 50})
    assert [len(run) for run in again] == [6] * 4
    for run, before in zip(again, whole, strict=False):
        assert np.abs(run.positions[:4] - before.positions).max() < 1e-9
    assert len(read(tmp_path / "replica-3.traj", ":")) == 6


def test_seeds_that_make_no_sense():
    for seeds in ([], [1, 1]):
        with pytest.raises(im.ArgumentError, match="seeds are different whole numbers"):
            im.replicas(ARGON, bulk("Ar", cubic=True), seeds)
    with pytest.raises(im.ArgumentError, match=r"seeds\[1\] is a whole number"):
        im.replicas(ARGON, bulk("Ar", cubic=True), [1, -2])
