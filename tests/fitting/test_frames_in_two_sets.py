"""Errors on frames that were learned from say nothing: whoever judges by them says so."""

from __future__ import annotations

import warnings

import pytest
from ase.build import molecule

import interpmd as im
from interpmd.errors import LabelWarning

SPEC = {"channels": (20, 10), "lmax": (0, 1), "weights": 60}


@pytest.fixture(scope="module")
def frames():
    rattled = im.sample(molecule("H2O"), "rattle", n=40, seed=1)
    return im.label(rattled, "gfn2-xtb", progress=False)


def learned(frames, test):
    options = {"spec": SPEC, "budget": 7, "compare": False, "progress": False}
    return im.learn(frames[:6], frames[6:14], test=test, **options)


def test_learning_names_test_frames_that_it_may_learn_from(frames):
    again = frames[13].copy()
    again.rotate(40, "x")  # a copy is one however it is turned
    again.calc = frames[13].calc
    with pytest.warns(LabelWarning, match=r"2 of 5 test frames are in start or candidates: .*0 a"):
        learned(frames, [frames[5], *frames[20:23], again])
    with warnings.catch_warnings():
        warnings.simplefilter("error", LabelWarning)
        learned(frames, frames[20:25])


def test_distilling_names_test_frames_that_it_has_seen(frames):
    twice = [frame for frame in frames[:20] for _ in range(2)]
    with pytest.warns(LabelWarning, match=r"\d of 8 test frames are copies of those of the fit"):
        found = im.distil("labels", [*twice[1:], twice[0]], progress=False)
    assert found.solution.tested == 8
    with warnings.catch_warnings():
        warnings.simplefilter("error", LabelWarning)
        im.distil("labels", frames, progress=False)
