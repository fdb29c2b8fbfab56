"""Kernels are kept on disk, but only as long as nothing changes that is in them."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from numba import njit
from numba.core import event
from numba.core.dispatcher import Dispatcher

import interpmd as im
from interpmd.dynamics.lammps import kernels
from interpmd.potentials import fast
from interpmd.potentials.fast import call
from interpmd.potentials.fast.announce import Announcer
from interpmd.potentials.fast.expansion import Tables
from interpmd.potentials.fast.neighbours import all_usable
from interpmd.potentials.fast.recipe import bytes_of_row

TWICE = """
from interpmd.potentials.fast.call import kernel

@kernel
def twice(x):
    return 2 * x
"""


def misses(file: Path) -> int:
    """How often a kernel of a file had to be compiled in a new process's first call."""
    spec = importlib.util.spec_from_file_location("twice", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.twice(3) == 6
    return sum(module.twice.stats.cache_misses.values())


def test_a_kernel_is_compiled_anew_once_another_file_that_it_may_contain_changes(
    tmp_path, monkeypatch
):
    file = tmp_path / "twice.py"
    file.write_text(TWICE)
    assert [misses(file), misses(file)] == [1, 0]
    monkeypatch.setattr(call, "SOURCES", "those of another version")
    assert [misses(file), misses(file)] == [1, 0]


def test_functions_without_a_module_are_still_compiled_by_numba():
    made: dict = {"__builtins__": {}}
    exec("def twice(x): return 2 * x", made)
    made["twice"].__module__ = None
    with event.install_listener("numba:compile", Announcer()):
        assert njit(made["twice"])(3) == 6


def test_every_kernel_knows_what_it_may_contain():
    modules = [kernels] + [
        importlib.import_module(f"{fast.__name__}.{found.name}")
        for found in pkgutil.iter_modules(fast.__path__)
    ]
    found = {
        each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)
    }
    assert len(found) > 15
    for kernel in found:
        assert kernel._cache._cache_file._source_stamp[1] == call.SOURCES, kernel


def test_sources_change_with_each_file(tmp_path):
    files = [tmp_path / "a.py", tmp_path / "b.py"]
    digests = set()
    for texts in (("1", "2"), ("1", "3"), ("0", "2")):
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        digests.add(call.digest_of(files))
    assert len(digests) == 3


@pytest.mark.parametrize("number", [0, -1, 6, 9])
def test_unknown_elements_are_not_usable(number):
    known = np.array([False, True, False, False, False, False, False, False, True])
    positions = np.zeros((2, 3))
    assert all_usable(positions, np.array([1, 8]), known)
    assert not all_usable(positions, np.array([1, number]), known)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_positions_that_are_not_finite_are_not_usable(number):
    positions = np.zeros((2, 3))
    positions[1, 2] = number
    assert not all_usable(positions, np.array([1, 1]), np.ones(2, bool))
    assert not all_usable(np.zeros((0, 3)), np.zeros(0, int), np.ones(2, bool))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_size_of_a_table_is_known_before_it_is_made(dtype):
    [term] = im.load("malonaldehyde").learned_terms.values()
    tables = Tables(term, np.dtype(dtype))
    assert tables.folded.shape[2] == bytes_of_row(tables.recipe, dtype)
