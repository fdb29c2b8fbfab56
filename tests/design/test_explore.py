"""The search from end to end, with GFN2-xTB: kept, resumed, judged, shown."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.units import kcal, mol
from spaces import span
from typer.testing import CliRunner

import interpmd as im
from interpmd.cli import app
from interpmd.design.evaluate import LEFT_DATA, Effort, evaluate
from interpmd.design.objectives import (
    ConformerGap,
    Dipole,
    HydrogenBond,
    Interaction,
    Objective,
    ProtonAffinity,
    RingStrain,
    RotationBarrier,
    State,
    objective_of,
)
from interpmd.design.scaffold import space_of
from interpmd.errors import ArgumentError, DesignError, DesignFileError

KCAL = mol / kcal
METHANE = "[*:1]C[*:2]"


def value(scaffold, objective, groups, key):
    space = space_of(scaffold, groups)
    one = evaluate(space, objective, "gfn2-xtb", Effort(guesses=1), space.design(key))
    assert one.sound, one.reason
    return one.value


def test_objectives_agree_with_what_is_known_of_molecules():
    # strain: 27.5 and 26.5 kcal/mol by experiment, none in cyclohexane
    strain = RingStrain(5)
    assert value("[CH2:5]1CC1[*:1]", strain, ["F"], "H") * KCAL == pytest.approx(27.5, abs=3)
    assert value("[CH2:5]1CCCCC1[*:1]", strain, ["F"], "H") * KCAL == pytest.approx(0, abs=1)
    # butane: gauche 0.7 kcal/mol above anti, barrier between them 3.6, whole barrier about 5
    chain, four = "[CH3:1][CH2:2][CH2:3][CH2:4][*:9]", (1, 2, 3, 4)
    assert value(chain, ConformerGap(four, 180, 60), ["F"], "H") * KCAL == pytest.approx(
        0.7, abs=0.3
    )
    assert value(chain, RotationBarrier(four), ["F"], "H") * KCAL == pytest.approx(5, abs=0.7)
    # proton affinities of NH2CH3 and NH2C2H5: 899.0 and 912.0 kJ/mol, and less with fluorine
    bases = [value("[NH2:1]C[*:9]", ProtonAffinity(1), ["CH3", "F"], k) for k in ("H", "CH3", "F")]
    assert (bases[1] - bases[0]) * KCAL * 4.184 == pytest.approx(13, abs=5)
    assert bases[2] < bases[0] - 0.5
    # formaldehyde: 2.3 debye; a hydrogen bond of water to a carbonyl: about 5 kcal/mol
    assert value("O=C[*:9]", Dipole(), ["F"], "H") * 4.803 == pytest.approx(2.3, abs=0.3)
    assert value("[O:1]=C[*:9]", Interaction(1), ["F"], "H") * KCAL == pytest.approx(4.5, abs=1.5)
    assert value("c1ccccc1[*:9]", objective_of("gap"), ["NO2"], "H") > 1.2 + value(
        "c1ccccc1[*:9]", objective_of("gap"), ["NO2"], "NO2"
    )


def test_the_hydrogen_bond_of_malonaldehyde():
    # 12 to 16 kcal/mol by many methods
    enol = "[O:11]=[C:12]([*:1])/[CH:13]=[CH:14]\\[O:15][H:16]"
    assert 10 < value(enol, HydrogenBond(16, 11), ["F"], "H") * KCAL < 16


@pytest.mark.parametrize(
    ("name", "atoms", "words"),
    [
        ("strength", (), "no objective 'strength'"),
        ("hydrogen bond", (1,), "2 atoms"),
        ("dipol", (), "did you mean 'dipole'"),
        (3, (), "a name or a function"),
    ],
)
def test_objectives_that_do_not_exist(name, atoms, words):
    with pytest.raises(DesignError, match=words):
        objective_of(name, atoms)


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (HydrogenBond(9, 11), "atom number 9, which the scaffold does not have"),
        (HydrogenBond(12, 11), "no hydrogen"),
        (ConformerGap((11, 12, 13)), "four numbers"),
        (RingStrain(11), "in 0 rings"),
        (Interaction(11, probe="xx"), "no SMILES"),
    ],
)
def test_objectives_that_do_not_suit_the_scaffold(objective, words):
    with pytest.raises(DesignError, match=words):
        im.explore("[O:11]=[C:12]([*:1])C", groups=["F"], objective=objective, progress=False)


def test_a_search_finds_the_best_and_goes_on_where_it_stopped(tmp_path):
    out = tmp_path / "gaps.jsonl"
    asked = {"groups": ["F", "Cl", "CN"], "objective": "dipole", "batch": 3, "out": out}
    asked["confirm"] = 0
    part = im.explore(METHANE, budget=6, **asked, progress=False)
    assert len(part.evaluated) == 6 == len(out.read_text().splitlines()) - 1
    before = out.read_bytes()
    out.write_bytes(before[:-40])  # as a kill would leave it
    whole = im.explore(METHANE, budget=100, **asked, progress=False)
    assert len(whole.evaluated) == 10  # 16 choices, 10 molecules
    assert len({e.smiles for e in whole.evaluated}) == 10
    assert out.read_bytes().startswith(before[:-1].rsplit(b"\n", 1)[0])
    again = im.explore(METHANE, budget=100, **asked, progress=False)
    assert again.evaluated[0].value == whole.evaluated[0].value
    best = whole.best(1).iloc[0]
    assert best["value"] == max(e.value for e in whole.evaluated) > 0.7
    assert whole.winner == whole.space.design([best["site 1"], best["site 2"]])
    assert "best" in repr(whole) and "10 of 16" in repr(whole)
    for atoms in whole.evaluated[3].structures.values():
        assert np.linalg.norm(atoms.get_forces(), axis=1).max() < 0.03


def test_the_best_are_computed_again_with_more_guesses(tmp_path):
    # one guess may take the conformer of propanol that is not the lowest
    out = tmp_path / "run.jsonl"
    asked = {"groups": ["CH2OH", "C2H5"], "objective": "dipole", "effort": im.Effort(guesses=1)}
    rough = im.explore("C[*:1]", **asked, confirm=0, progress=False)
    assert {one.guesses for one in rough.evaluated} == {1}
    found = im.explore("C[*:1]", **asked, confirm=1, out=out, progress=False)
    assert len(found.evaluated) == 3
    guesses = {one.design: one.guesses for one in found.evaluated}
    assert guesses[found.winner] == 4 and sorted(guesses.values())[0] == 1
    again = im.explore("C[*:1]", **asked, confirm=1, out=out, progress=False)
    assert {one.design: one.guesses for one in again.evaluated} == guesses
    lines = len(out.read_text().splitlines())
    assert lines == 1 + 3 + sum(g == 4 for g in guesses.values())


def test_a_file_of_another_exploration_is_refused_and_kept(tmp_path):
    out = tmp_path / "a.jsonl"
    im.explore(
        METHANE, groups=["F"], objective="dipole", out=out, budget=1, confirm=0, progress=False
    )
    kept = out.read_bytes()
    with pytest.raises(DesignFileError, match="holds another exploration: objective"):
        im.explore(METHANE, groups=["F"], objective="gap", out=out, budget=1, progress=False)
    assert out.read_bytes() == kept
    out.write_bytes(kept + b"nonsense\n" + kept)
    with pytest.raises(DesignFileError, match="line 3"):
        im.explore(METHANE, groups=["F"], objective="dipole", out=out, budget=3, progress=False)


def test_what_fails_is_kept_with_its_reason_and_the_search_goes_on():
    def strange(atoms):
        if "Cl" in atoms.symbols:
            raise ValueError("no chlorine here")
        return float(len(atoms)) if "F" not in atoms.symbols else float("nan")

    found = im.explore(METHANE, groups=["F", "Cl", "CH3"], objective=strange, progress=False)
    reasons = {e.smiles: e.reason for e in found.evaluated}
    assert len(reasons) == 10
    assert reasons["CCl"] == "ValueError: no chlorine here"
    assert reasons["CF"] == "the objective is no finite number"
    assert reasons["CC"] is None
    assert set(found.suspects()["smiles"]) == {s for s, r in reasons.items() if r}
    assert found.winner == found.space.design(["CH3", "CH3"])


@dataclass(frozen=True)
class Flat(Objective):
    """Ammonia from a flat start, which relaxation leaves flat."""

    name = "flat"

    def states(self, molecule):
        bond, half = 1.0, 3**0.5 / 2
        places = [[0, 0, 0], [bond, 0, 0], [-bond / 2, half, 0], [-bond / 2, -half, 0]]
        return [State("relaxed", molecule, structures=(Atoms("NH3", places),))]

    def value(self, found, model):
        return float(found["relaxed"].get_potential_energy())


def test_what_is_no_minimum_is_doubted():
    space = space_of("N[*:1]", ["F"])
    flat = evaluate(space, Flat(), "gfn2-xtb", Effort(minima=True), (0,))
    assert flat.sound and any("not a minimum" in doubt for doubt in flat.doubts)
    assert evaluate(space, Flat(), "gfn2-xtb", Effort(), (0,)).doubts == ()
    bent = evaluate(space, objective_of("dipole"), "gfn2-xtb", Effort(minima=True), (0,))
    assert bent.sound and bent.doubts == ()


def test_a_molecule_that_falls_apart_is_not_sound():
    # the closed form of this zwitterion loses its proton to the nitrogen atom
    space = space_of("[O:11]=[C:12]([O:15][H:16])C[*:1]", ["NH2"])
    one = evaluate(space, HydrogenBond(16, 11), "gfn2-xtb", Effort(), (0,))
    assert one.sound
    carbanion = space_of("[CH2-:1]C(=O)O[*:2]", ["F"])
    one = evaluate(carbanion, objective_of(span), "gfn2-xtb", Effort(guesses=1), (1,))
    assert one.reason is None or "broken" in one.reason


def test_workers_find_the_same(tmp_path):
    asked = {"groups": ["F", "CH3"], "objective": span, "budget": 4, "batch": 4}
    one = im.explore(METHANE, **asked, progress=False)
    two = im.explore(METHANE, workers=2, **asked, progress=False)
    assert [e.design for e in one.evaluated] == [e.design for e in two.evaluated]
    assert [e.value for e in one.evaluated] == pytest.approx([e.value for e in two.evaluated])


def test_a_potential_doubts_what_it_does_not_know():
    # ethanol and its like are beyond the data of malonaldehyde
    potential = im.load("malonaldehyde")
    space = space_of("[O:11]=[C:12]([*:1])/[CH:13]=[CH:14]\\[O:15][H:16]", ["CH3"])
    model = potential.calculator()
    bond = HydrogenBond(16, 11)
    own = evaluate(space, bond, model, Effort(guesses=1), (0,))
    assert own.sound and own.grade is not None
    assert 10 < own.value * KCAL < 16
    methyl = evaluate(space, bond, model, Effort(guesses=1, steps=60), (1,))
    assert any("grade" in doubt for doubt in methyl.doubts) or methyl.reason


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"budget": 0}, ArgumentError),
        ({"acquisition": "luck"}, ArgumentError),
        ({"order": 0}, ArgumentError),
        ({"groups": ["nothing"]}, DesignError),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_computed(more, error):
    with pytest.raises(error):
        im.explore(METHANE, **{"groups": ["F"], "progress": False, **more})


def test_from_the_command_line(tmp_path):
    out, page = tmp_path / "run.jsonl", tmp_path / "gallery.html"
    found = CliRunner().invoke(
        app,
        [
            "explore", METHANE, "-o", str(out), "--objective", "dipole", "--group", "F",
            "--group", "CN", "--budget", "4", "--gallery", str(page),
        ],
        catch_exceptions=False,
    )  # fmt: skip
    assert found.exit_code == 0
    assert "4 of 9 molecules evaluated" in found.stdout
    assert "what to change next" in found.stdout and "Shapley" in found.stdout
    assert json.loads(out.read_text().splitlines()[0])["objective"] == "Dipole()"
    text = page.read_text()
    assert text.count("data:image/svg+xml") == 4 and "http://" not in text.replace("www.w3", "")

    again = ["explore", METHANE, "-o", str(tmp_path / "least.jsonl"), "--objective", "dipole"]
    again += ["--group", "F", "--group", "Cl", "--budget", "9", "--minimize"]
    found = CliRunner().invoke(app, again, catch_exceptions=False)
    assert "the bare scaffold is the best of these" in found.stdout
    assert "Shapley" not in found.stdout and "what to change next" in found.stdout


def fails(atoms):
    raise KeyError("dipole of nothing")


def test_a_search_in_which_nothing_has_a_value_ends_soon_and_says_why(tmp_path):
    path = tmp_path / "run.jsonl"
    with pytest.raises(DesignError, match=r"none of the first 5 .*KeyError") as caught:
        im.explore(
            "[*:1]CO[*:2]", groups=["F", "CH3", "Cl"], objective=fails, budget=16, batch=5,
            effort=im.Effort(guesses=1, steps=5), out=path, progress=False,
        )  # fmt: skip
    assert len(caught.value.report.evaluated) == 5 == len(path.read_text().splitlines()) - 1


def test_a_relaxation_ends_where_the_potential_is_not_believed():
    space = space_of("[*:1]C1OC(C)C1", ["OH"])  # nothing that malonaldehyde is like
    model = im.load("malonaldehyde").calculator()
    size = objective_of(lambda atoms: float(len(atoms)))
    effort = im.Effort(guesses=1, steps=30, grade=1.0)
    one = evaluate(space, size, model, effort, (1,))
    assert LEFT_DATA in one.reason and not one.sound and one.value == 14
    free = evaluate(space, size, model, im.Effort(guesses=1, steps=2), (1,))
    assert LEFT_DATA not in (free.reason or "")
    home = space_of("[O:1]=[CH:2]/[C:3]([*:9])=[CH:4]\\[O:5][H:6]", ["F"])
    bare = evaluate(home, size, model, im.Effort(guesses=1, grade=3.0), (0,))
    assert bare.sound  # the molecule that it learned
