"""Frames on a cluster of Dask: the same numbers, and nothing is lost with a worker."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time

import numpy as np
import pytest
import xarray as xr
from ase.build import molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import ArgumentError, CalculationError
from interpmd.reference.on_cluster import on_cluster
from interpmd.reference.remote import Killed

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", processes=True
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def frames_of(count, seed=0):
    rng = np.random.default_rng(seed)
    frames = [MALONALDEHYDE.copy() for _ in range(count)]
    for atoms in frames:
        atoms.positions += rng.normal(0, 0.03, atoms.positions.shape)
    return frames


def pids(client):
    return list(client.run(os.getpid).values())


def settled(client):
    """Processes of the two workers, when both answer. One whose connection broke on a busy machine
    is not started again by Dask itself."""
    for _ in range(240):
        with contextlib.suppress(Exception):  # one of them is on its way out
            if len(found := pids(client)) == 2:
                return found
        client.cluster.scale(2)
        time.sleep(1)
    raise AssertionError("the workers do not come back")


def same(first: xr.Dataset, second: xr.Dataset) -> None:
    """Equal to rounding, row by row."""
    assert first.sizes == second.sizes
    second = second.set_index(interaction="label").sel(interaction=first.label.values)
    np.testing.assert_allclose(first.value, second.value, atol=1e-9)
    np.testing.assert_allclose(first.total, second.total, atol=1e-9)


def kill_when(path, lines, process):
    """Kill a process once a file has so many lines."""

    def wait():
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if path.exists() and path.read_bytes().count(b"\n") >= lines:
                os.kill(process, signal.SIGKILL)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_killed_worker_loses_no_frame(client, tmp_path):
    potential, frames = im.load("malonaldehyde"), frames_of(80)
    ask = {"target": im.Force(8), "gauge": "internal", "by": "kind", "progress": False}
    here = im.explain_trajectory(potential, frames, workers=1, **ask)
    before = settled(client)
    out = tmp_path / "explained.jsonl"
    thread = kill_when(out, 20, before[0])
    there = im.explain_trajectory(potential, frames, client=client, out=out, **ask)
    thread.join(60)
    assert not thread.is_alive()
    same(here, there)
    assert out.read_text().count("\n") == 81  # a line each, and one that says what they are
    assert before[0] not in settled(client)
    # the same call again computes nothing
    again = im.explain_trajectory(potential, frames, client=client, out=out, **ask)
    assert again.identical(there)


def test_labels_are_those_of_this_process(client, tmp_path):
    frames = [molecule("H2O") for _ in range(8)]
    for number, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=number)
    here = im.label(frames, progress=False, workers=1)
    there = im.label(frames, out=tmp_path / "labels.xyz", progress=False, client=client)
    for one, other in zip(here, there, strict=True):
        assert one.get_potential_energy() == pytest.approx(other.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(one.get_forces(), other.get_forces(), atol=1e-8)
    assert len(im.read_frames(tmp_path / "labels.xyz")) == 8


def test_fits_on_a_cluster(client):
    frames = im.sample(molecule("H2O"), how="normal_modes", n=24)
    labelled = [*im.label(frames, progress=False), *im.isolated_atoms("HO")]
    spec = {"spec": {"weights": 60, "lmax": 1, "cutoff": 3.0}, "progress": False}
    sizes = [8, 16]
    here = im.learning_curve(labelled, labelled[:6], sizes, **spec)
    there = im.learning_curve(labelled, labelled[:6], sizes, client=client, **spec)
    np.testing.assert_allclose(here, there, rtol=1e-4)
    found = im.reproduce(labelled, frames[:2], client=client, **spec)
    assert found.frames == 2


def dies(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_job_that_kills_every_worker_is_named_and_costs_no_other(client):
    settled(client)
    results = list(on_cluster(client, dies, [(n,) for n in range(6)], list("abcdef")))
    assert isinstance(results.pop(2), Killed)
    assert results == [0, 1, 3, 4, 5]
    settled(client)


def warns(number):
    import warnings

    warnings.warn(f"number {number}", UserWarning, stacklevel=1)
    return number


def test_warnings_come_back(client):
    with pytest.warns(UserWarning, match="number 3"):
        assert list(on_cluster(client, warns, [(3,)], ["a"])) == [3]


def test_what_is_no_cluster_is_said(client):
    atoms, potential = frames_of(1), im.load("malonaldehyde")
    with pytest.raises(ArgumentError, match=r"dask.distributed.Client, not str"):
        im.explain_trajectory(potential, atoms, client="tcp://here", progress=False)
    with pytest.raises(ArgumentError, match="not both"):
        im.explain_trajectory(potential, atoms, client=client, workers=2, progress=False)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        distributed.Client(empty) as nobody,
        pytest.raises(ArgumentError, match="has no workers"),
    ):
        im.label([molecule("H2O")], client=nobody, progress=False)


def test_a_cluster_that_is_gone(tmp_path):
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    client = distributed.Client(cluster)
    results = on_cluster(client, time.sleep, [(0.1,)] * 20, [str(n) for n in range(20)])
    next(results)
    client.close()
    with pytest.raises(CalculationError, match="cluster was lost at 1 .*out="):
        list(results)
    cluster.close()


def test_a_cluster_without_workers_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr("interpmd.reference.on_cluster.PATIENCE", 1.0)
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        results = on_cluster(client, time.sleep, [(0.1,), (600.0,)], ["first", "second"])
        next(results)
        client.retire_workers(close_workers=True)
        cluster.scale(0)
        with pytest.raises(CalculationError, match="no worker for 1 s at second"):
            list(results)


def test_learning_and_curing_label_on_the_cluster(client, monkeypatch):
    from interpmd.reference import workers
    from interpmd.trust.treatment import label_proposal

    jobs: list[int] = []
    asked = workers.on_cluster

    def counted(client, function, many, names):
        jobs.append(len(many))
        return asked(client, function, many, names)

    monkeypatch.setattr(workers, "on_cluster", counted)
    pool = im.sample(molecule("H2O"), "rattle", n=20, seed=0)
    given = {"batch": 2, "budget": 8, "spec": im.Spec(weights=60), "compare": False}
    report = im.learn(
        [*pool[:6], *im.isolated_atoms("HO")], pool[6:], "emt", client=client, progress=False,
        **given,
    )  # fmt: skip
    assert len(report.frames) == 10
    assert sum(jobs) == 8  # the start and one batch; isolated atoms have their labels
    jobs.clear()
    proposed = [atoms.copy() for atoms in pool[:2]]
    for atoms in proposed:
        atoms.info["subset"] = "part"
    assert len(label_proposal(proposed, "emt", client=client, progress=False)) == 2
    assert sum(jobs) == 2


def test_shots_on_a_cluster_are_those_of_one_process(client):
    transfer, potential = im.proton_transfer(8, 4, 0), im.load("malonaldehyde")
    tops = im.top_structures(potential, MALONALDEHYDE, transfer, n=3, settle=50.0, apart=20.0)
    how = {"n": 3, "window": 20.0, "progress": False}
    here = im.shoot(potential, tops, transfer, **how)
    there = im.shoot(potential, tops, transfer, client=client, **how)
    assert [e.origin for e in there] == [e.origin for e in here]
    for one, other in zip(here, there, strict=True):
        assert np.array_equal(one.positions, other.positions)
    with pytest.raises(im.ArgumentError, match="not both"):
        im.shoot(potential, tops, transfer, client=client, workers=2, **how)
    with pytest.raises(im.ArgumentError, match="dask.distributed.Client"):
        im.shoot(potential, tops, transfer, client="tcp://nowhere", **how)
