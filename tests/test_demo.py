"""The main job from end to end, and its report."""

from __future__ import annotations

import re

import pytest

from interpmd.demo import PROTON, run_demo
from interpmd.demo.gate import gate_table
from interpmd.views.report import Report


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return run_demo(out=folder / "report.html", picoseconds=3.0, order=3, events=24, quiet=True)


def test_the_proton_jumps_and_the_table_adds_up_to_its_force(demo):
    assert demo.jumped
    assert demo.transfer[demo.event] > 0 > demo.transfer[demo.event - 1]
    rows, sums = demo.table.iloc[:-1, :3], demo.table.iloc[-1]
    assert (rows.sum() - sums.iloc[:3]).abs().max() < 1e-9
    assert 0 < sums.iloc[3] < 0.5
    assert demo.table.index[0].startswith(("shared proton", "bond")), demo.table
    assert "of the changing force on H8" in demo.headline or "comes first" in demo.headline
    assert demo.headline in demo.report.read_text()
    atoms = demo.trajectory[demo.event]
    toward = atoms.positions[0] - atoms.positions[4]
    force = atoms.get_forces()[PROTON] @ toward / (toward @ toward) ** 0.5
    assert sums.iloc[1] == pytest.approx(force, abs=1e-8)


def test_the_table_at_the_end_names_the_gate(demo):
    table = gate_table(demo.ledger)
    assert table.index[0].startswith("gives: ")
    assert "O0···O4" in table.index[0]
    assert table.iloc[0]["meV"] > 3 * table.iloc[0]["±"] > 0
    assert table.index[3].startswith("takes up: shared proton")
    assert demo.ledger.closure < 0.005
    assert demo.ledger.verdict[1:] in demo.report.read_text()


def test_the_report_opens_offline(demo):
    page = demo.report.read_text()
    assert page.count("data:image/png;base64,") == 7
    assert "<details><summary>The same force as rows of atoms" in page
    assert not re.findall(r"https?://", page)
    assert all(alt for alt in re.findall(r'alt="([^"]*)"', page))
    assert "Convention" in page
    assert "Fact" in page


def test_a_report_is_written_at_once_or_not_at_all(tmp_path, monkeypatch):
    report = Report("title")
    report.text("words < & >")
    path = report.write(tmp_path / "report.html")
    assert "words &lt; &amp; &gt;" in path.read_text()
    before = path.read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    report.text("more")
    with pytest.raises(OSError, match="No space"):
        report.write(path)
    assert path.read_text() == before
    assert [f.name for f in tmp_path.iterdir()] == ["report.html"]
