"""What the README says is so: its code runs, its numbers are measured, its limits are real."""

from __future__ import annotations

import json
import re
import sys

import pytest
from ase.build import bulk
from pages import ROOT, blocks

import interpmd as im
from interpmd.cli import app
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import StructureError
from interpmd.potentials.base import TERMS

sys.path.insert(0, str(ROOT / "benchmarks"))
import results

README = (ROOT / "README.md").read_text()
LINES, QUESTIONS, WIDGETS, OWN_DATA = blocks(ROOT / "README.md")

#: Of the README's fit, so that it takes seconds.
SMALL = 'out="my-water", spec={"weights": 300, "basis": 5}'


def run(code: str, names: dict) -> dict:
    """The names after a block of the README."""
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def told() -> dict:
    """Names after the first ten lines."""
    return run(LINES, {})


def test_it_is_short():
    assert len(README.split()) <= 900
    rows = re.findall(r"^\| (?!figure).+ \| .+ \|$", README, re.MULTILINE)
    assert len(rows) == len(results.HEADLINE) <= 8


@pytest.mark.parametrize("path", results.PAGES, ids=lambda p: p.name)
def test_tables_are_those_measured(path):
    text = path.read_text()
    assert results.page(text, results.measured()) == text, "run python benchmarks/results.py"


def test_the_evidence_has_every_figure_once():
    text = (ROOT / "docs" / "evidence.md").read_text()
    tables = "".join(table[0] for table in results.PLACE.finditer(text))
    named = re.findall(r"^\| (?!figure)(.+?) \| .+ \|$", tables, re.MULTILINE)
    assert sorted(named) == sorted(results.measured())


def test_a_figure_that_nobody_measured_is_missed():
    with pytest.raises(LookupError, match="not measured.*acetylacetone"):
        results.page(README, {})
    stray = {"a stray figure": {"value": "-2.1 of -0.6/-3, 1e-3, def2-svp", "command": "c"}}
    filled = results.page("<!-- figures: others -->\n<!-- end of figures -->", stray)
    assert "| a stray figure | −2.1 of −0.6/−3, 1e-3, def2-svp |" in filled


def test_what_a_benchmark_no_longer_says_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "STORE", tmp_path / "results.json")
    monkeypatch.setattr(results, "PAGES", ())
    results.record({"a": "1", "b": "2"}, "one")
    results.record({"c": "3"}, "other")
    results.record({"a": "4"}, "one", whole=True)
    assert {n: e["value"] for n, e in results.measured().items()} == {"a": "4", "c": "3"}
    results.record({"d": "5"}, "one")
    assert set(results.measured()) == {"a", "c", "d"}


def test_the_ten_lines_run_and_say_what_the_readme_says(told):
    explanation = told["explanation"]
    assert explanation.residual < 1e-8 and explanation.certificate().passed
    assert {"bond", "angle", "hydrogen bond"} <= set(explanation.by("kind").index)
    assert (explanation.by("kind", std=True).iloc[:, 1] >= 0).all() and explanation.total_std > 0


def test_the_other_questions_run(told):
    answers = {}
    for line in QUESTIONS.splitlines():
        if re.match(r"\w+ = ", line):
            exec(line, told)
        else:
            answers[line.split("  #")[0]] = eval(line.split("  #")[0], told)
    assert list(answers["im.gauges()"].index) == ["internal", "groups", "molecules", "atoms"]
    assert answers["im.explain(potential, atoms)"].gauge == "groups"
    (works,) = (a for line, a in answers.items() if "im.ledger" in line)
    # with every step recorded the works sum to what the kinetic energy gained
    assert works.attrs["largest_closure_error_eV"] < 1e-9
    (frames,) = (a for line, a in answers.items() if "trajectory(" in line)
    assert float(frames.residual.max()) < 1e-8
    with pytest.raises(im.CertificateError, match="not checked"):
        im.certify_explanation(told["explanation"], told["potential"]).require("quantum truth")


def test_rows_of_atoms_are_far_less_determined_than_their_sum(told):
    rows = im.explain(told["potential"], told["atoms"], im.Force(8, along=0), gauge="atoms")
    assert rows.total_std < 0.05 * rows.stds.max()
    coordinates = told["explanation"]
    assert coordinates.stds.max() < 0.05 * rows.stds.max()


def test_the_widgets_open(told):
    pytest.importorskip("anywidget")
    pytest.importorskip("nglview")
    run(WIDGETS, told)


def test_own_data_become_a_potential(tmp_path, monkeypatch):
    pytest.importorskip("tblite")
    monkeypatch.chdir(tmp_path)
    assert 'out="my-water"' in OWN_DATA
    report = run(OWN_DATA.replace('out="my-water"', SMALL), {"im": im})["report"]
    assert report.errors().loc["test", "force_rmse_meV/A"] < 20
    assert im.load("my-water").elements == report.potential.elements


def test_commands_and_paths_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"^    make (\w+)", README, re.MULTILINE)) <= targets
    known = {c.name or c.callback.__name__ for c in app.registered_commands}
    assert set(re.findall(r"^    interpmd (\w+)", README, re.MULTILINE)) <= known
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_what_a_potential_is_made_of():
    charges = {"electrostatics", "long_range"}
    assert {"isolated", "repulsion", "dispersion", *charges, "expansion"} <= set(TERMS)
    assert "to body order 5" in " ".join(README.split())
    assert im.Spec(basis=5).expansion([1, 8], seed=0).body_order == 5


def test_limits_are_those_of_the_code():
    from interpmd.decomposition.sites import STAR_BUDGET

    assert f"{STAR_BUDGET:,} subsets" in README
    stored = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    held = {k: int(v["value"].split()[0]) for k, v in stored.items() if k.startswith("error bars")}
    rows = {k: share for k, share in held.items() if "gauge" in k}
    assert {k.split("gauge ")[1].split(":")[0] for k in rows} == set(im.gauges().index)
    limits = " ".join(README.split())
    assert f"at least {min(held[k] for k in held.keys() - rows.keys())} % of the errors" in limits
    assert f"{min(rows.values())} to {max(rows.values())} % of those of rows" in limits


@pytest.mark.parametrize("kind", ["dispersion", "electrostatics"])
def test_long_ranged_terms_refuse_periodic_cells(kind):
    pytest.importorskip("tad_dftd3")
    with pytest.raises(StructureError, match="periodic"):
        im.Potential([TERMS[kind].example()]).predict(bulk("Si"))


def test_the_expansion_sees_no_charge_or_spin():
    charged = MALONALDEHYDE.copy()
    charged.info |= {"charge": 1, "multiplicity": 2}
    potential = im.load("malonaldehyde")
    energies = [
        potential.predict(potential.batch(a)).energy.item() for a in (MALONALDEHYDE, charged)
    ]
    assert energies[0] == energies[1]


def test_the_course_has_as_many_notebooks_as_it_says():
    notebooks = list((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert len(notebooks) == 14 and "fourteen notebooks" in README
