"""The package as a whole: what it offers, what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import interpmd as im


def test_importing_is_light():
    heavy = {"captum", "shap", "nglview", "pyscf", "tblite", "tad_dftd3", "torch", "matplotlib"}
    code = "import sys, interpmd; print([m for m in sys.argv[1:] if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_public_names_exist():
    for name in im.__all__:
        assert getattr(im, name) is not None


def test_errors_that_users_meet_are_public():
    from interpmd import errors

    there = {name for name in vars(errors) if name.endswith(("Error", "Warning"))}
    assert there <= set(im.__all__)
