"""The examples in docstrings run and print what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from pages import ROOT

import interpmd as im
from interpmd.decomposition import Clusters

#: Modules that have examples.
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "interpmd").rglob("*.py"))
    if ">>> " in path.read_text()
]

#: Classes that everybody meets.
CENTRAL = (
    im.Potential,
    im.Batch,
    Clusters,
    im.Decomposition,
    im.Energy,
    im.Force,
    im.Explanation,
    im.Certificate,
    im.Trajectory,
    im.Spec,
    im.FitReport,
    im.QuantumTruth,
)

#: Packages of extras that examples need.
NEEDS = {
    "interpmd.attribution.corrections": "tblite",
    "interpmd.fitting.active.learn": "tblite",
    "interpmd.fitting.active.on_the_fly": "tblite",
    "interpmd.trust.truth.agreement": "tblite",
    "interpmd.views.explorer.explorer": "nglview",
}

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    failed, tried = doctest.testmod(import_module(name), optionflags=FLAGS)
    assert tried > 0 and failed == 0


@pytest.mark.parametrize("cls", CENTRAL, ids=lambda c: c.__name__)
def test_central_classes_have_examples(cls):
    assert ">>> " in cls.__doc__


def test_the_explorer_has_an_example():
    pytest.importorskip("anywidget")
    assert ">>> " in im.ForceExplorer.__doc__
