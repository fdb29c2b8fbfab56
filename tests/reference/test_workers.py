"""Where jobs are done: here, by all cores where it pays, by as many processes as are asked for."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from jobs_that_die import square, where

import interpmd as im
from interpmd.errors import ArgumentError
from interpmd.reference import workers
from interpmd.reference.remote import Shared, remotely, with_warnings
from interpmd.reference.workers import spread


def names(count):
    return [f"job {number}" for number in range(count)]


def test_short_work_stays_here():
    results = list(spread(where, [(n,) for n in range(4)], names(4)))
    assert results == [(n, os.getpid()) for n in range(4)]


def test_long_work_goes_to_all_cores(monkeypatch):
    monkeypatch.setattr(workers, "PAYS", 0.1)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    results = list(spread(where, [(n,) for n in range(12)], names(12)))
    assert [number for number, _ in results] == list(range(12))
    assert results[0][1] == os.getpid()  # the first one tells how long the others take
    assert os.getpid() not in {process for _, process in results[1:]}


def test_what_only_the_script_knows_stays_here(monkeypatch):
    class Script:
        __module__ = "__main__"

        def __reduce__(self):
            return (eval, ("__import__('__main__')",))

    monkeypatch.setattr(workers, "PAYS", 0.0)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    jobs = [(Script(),) for _ in range(3)]
    assert list(spread(lambda _: os.getpid(), jobs, names(3))) == [os.getpid()] * 3


def test_a_script_needs_no_guard_where_nothing_is_asked_for(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys, os; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "print('begins')\n"
        "from jobs_that_die import where\n"
        "from interpmd.reference import workers\n"
        "workers.PAYS, workers.cores = 0.1, lambda: 2\n"
        "found = list(workers.spread(where, [(n,) for n in range(8)], list('abcdefgh')))\n"
        "print([n for n, _ in found], len({p for _, p in found}) > 1)\n"
    )
    home = os.pathsep.join([str(Path(im.__file__).parents[1]), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": home},
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    assert done.stdout.splitlines() == ["begins", "[0, 1, 2, 3, 4, 5, 6, 7] True"]


def test_so_many_processes_as_are_asked_for():
    assert list(spread(square, [(n,) for n in range(5)], names(5), workers=2)) == [0, 1, 4, 9, 16]
    with pytest.raises(ArgumentError, match="not both"):
        list(spread(square, [(1,)], names(1), workers=2, client=object()))


def test_what_jobs_share_is_unpacked_once():
    packed = pickle.dumps((Shared([1, 2]), 3))
    first, second = pickle.loads(packed)[0], pickle.loads(packed)[0]
    assert first is second
    assert first.value == [1, 2]


def test_warnings_come_along():
    def job(number):
        warnings.warn(f"number {number}", UserWarning, stacklevel=1)
        return number

    outcome = remotely(job, (4,))
    with pytest.warns(UserWarning, match="number 4"):
        assert with_warnings(outcome) == 4
