"""The command line: what it writes, and one line for each error."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ase.io import read, write
from typer.testing import CliRunner

from interpmd.cli import app
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.labels import read_frames


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def structure(tmp_path):
    write(tmp_path / "start.xyz", MALONALDEHYDE)
    return tmp_path / "start.xyz"


def test_fit_and_evaluate(tmp_path):
    frames = read_frames("data/water/train.extxyz.gz")
    few = [a for a in frames if len(a) <= 3][:60]
    for name, part in {"train": few + frames[-2:], "test": few[:10]}.items():
        write(tmp_path / f"{name}.extxyz", part)
    out = tmp_path / "potential"
    found = run(
        "fit", tmp_path / "train.extxyz", "--test", tmp_path / "test.extxyz", "-o", out,
        "--weights", 300, "--lmax", 2,
    )  # fmt: skip
    assert found.exit_code == 0
    assert f"written to {out}" in found.stdout
    assert {f.name for f in out.iterdir()} >= {"potential.json", "report.json", "parity.png"}
    found = run("evaluate", out, tmp_path / "test.extxyz")
    assert "force_rmse_meV/A" in found.stdout


def test_md_and_explain(tmp_path, structure):
    out = tmp_path / "run.traj"
    found = run("md", "malonaldehyde", structure, "-o", out, "--steps", 20)
    assert found.exit_code == 0
    assert len(read(out, ":")) == 3
    found = run(
        "explain", "malonaldehyde", out, "--atom", 8, "--by", "kind", "--csv", tmp_path / "rows.csv"
    )
    assert found.exit_code == 0
    assert "hydrogen bond" in found.stdout
    assert (tmp_path / "rows.csv").read_text().startswith("label,kind,term")


def test_shipped_lists_the_potentials():
    assert "malonaldehyde" in run("shipped").stdout


def test_errors_are_one_line(tmp_path):
    command = [sys.executable, "-m", "interpmd.cli", "evaluate", "nothing", str(tmp_path / "x")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().startswith("interpmd: there is no folder nothing")
    assert "Traceback" not in found.stderr


def test_benchmarks(tmp_path):
    """Exact methods find the truth; water's many-body terms are near those of GFN2-xTB."""
    found = run("benchmark", "explainers", "--atoms", 4, "--csv", tmp_path / "table.csv")
    assert found.exit_code == 0
    assert (tmp_path / "table.csv").read_text().count("\nmobius,") == 10
    frames = [a for a in read_frames("data/water/test.extxyz.gz") if len(a) == 9][:2]
    write(tmp_path / "trimers.extxyz", frames)
    found = run("benchmark", "quantum", "--frames", tmp_path / "trimers.extxyz")
    assert found.exit_code == 0
    errors = [line.split() for line in found.stdout.splitlines() if line[:1] in "23"]
    assert len(errors) == 2
    assert all(float(line[4]) < 0.5 for line in errors)  # mean absolute error in kcal/mol


def test_unknown_benchmarks_are_named():
    with pytest.raises(Exception, match="known: explainers, learned, quantum"):
        run("benchmark", "nonsense")
