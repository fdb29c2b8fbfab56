"""What takes longer than a few seconds shows how far it is, and is silent on request."""

from __future__ import annotations

import re

import pytest
from ase.build import molecule
from ase.calculators.emt import EMT

import interpmd as im
from interpmd.decomposition import moebius
from interpmd.demo import MALONALDEHYDE

WATER = molecule("H2O")


def _ledger(progress):
    potential = im.load("water")
    run = im.simulate(potential, WATER, steps=4, interval=1, progress=False)
    im.ledger(potential, run, progress=progress)


def _bars(progress):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moebius, "PATIENCE", 0.0)
        im.explain(im.load("water"), WATER, im.Force(1), gauge="atoms", progress=progress)


def _tops(progress):
    potential, coordinate = im.load("malonaldehyde"), im.proton_transfer(8, 4, 0)
    options = {"n": 2, "settle": 20.0, "apart": 10.0}
    im.top_structures(potential, MALONALDEHYDE, coordinate, **options, progress=progress)


LONG = {
    "md": (lambda p: im.sample(WATER, n=3, equilibration=5, interval=2, progress=p), 3),
    "normal_modes": (lambda p: im.sample(WATER, how="normal_modes", n=3, progress=p), 3),
    "triplets": (lambda p: im.doctor("water", distances=[1.0, 2.0], progress=p), None),
    "certify": (lambda p: im.certify(im.load("malonaldehyde"), MALONALDEHYDE, progress=p), 10),
    "explain": (_ledger, 5),
    "scan": (lambda p: im.scan(im.load("water"), WATER, (0, 1), [0.96, 1.0], progress=p), 2),
    "error bars": (_bars, None),
    "tops": (_tops, 2),
    "modes": (lambda p: im.normal_modes(EMT(), WATER, progress=p), 18),
}


@pytest.mark.parametrize("name", LONG)
def test_long_work_shows_its_progress_to_the_end(name, capfd):
    run, count = LONG[name]
    run(True)
    shown = capfd.readouterr().err
    last = [line for line in re.split("[\r\n]", shown) if line.startswith(f"{name}:")][-1]
    done, total = map(int, re.search(r"(\d+)/(\d+) \[", last).groups())
    assert done == total and "100%" in last
    assert count in (None, total)
    run(False)
    assert "%|" not in capfd.readouterr().err


def test_clusters_take_no_time_and_show_no_bar(capfd):
    im.sample(WATER, how="dimers", n=2)
    assert capfd.readouterr().err == ""


def test_error_bars_that_come_at_once_show_no_bar(capfd):
    im.explain(im.load("water"), WATER, im.Force(1), gauge="atoms")
    assert capfd.readouterr().err == ""
