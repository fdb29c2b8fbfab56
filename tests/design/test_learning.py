"""A search that learns: what the best molecules need and the data lack is labelled, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from ase.build import molecule

import interpmd as im
from interpmd.design.evaluate import evaluate
from interpmd.design.objectives import HydrogenBond, RotationBarrier
from interpmd.design.scaffold import space_of
from interpmd.errors import DesignError


@pytest.fixture(scope="module")
def methanol():
    frames = im.sample(molecule("CH3OH"), how="normal_modes", n=40, seed=1)
    frames = im.label(frames, progress=False) + im.isolated_atoms(["H", "C", "O"])
    spec = im.Spec(channels=(16, 16, 8), lmax=(0, 2, 1), basis=8)
    return frames, im.fit(frames, spec=spec, seed=0, progress=False)


def test_a_group_that_the_data_lack_is_labelled_and_learned(methanol, tmp_path):
    frames, report = methanol
    found = im.explore_and_learn(
        "[H:1][O:2][CH2:3][*:9]",
        report,
        frames,
        groups=["F"],
        objective=lambda atoms: atoms.get_distance(1, 2),
        out=tmp_path,
        rounds=1,
        most=20,
        budget=2,
        effort=im.Effort(guesses=1, steps=60),
        progress=False,
    )
    first, second = found.log.to_dict("records")
    # fluorine is no element of the first potential
    assert first["not sound"] == 1 and first["lacking"] > 0
    assert first["labels"] == len(found.labels) > 0
    assert second["lacking"] == second["labels"] == 0
    assert 9 in {int(z) for atoms in found.labels for z in atoms.numbers}
    assert 9 in found.potential.elements and 9 not in report.potential.elements
    assert {a.info["level"] for a in found.labels} == {"gfn2-xtb"}
    # C-O of methanol by the reference: 1.40 Å
    assert first["reference"] == pytest.approx(1.40, abs=0.02)
    assert repr(found).startswith(f"2 rounds, {len(found.labels)} labels")
    assert (tmp_path / "round-1.jsonl").exists() and (tmp_path / "potential-1").is_dir()


def test_fluorine_on_malonaldehyde_is_learned_where_relaxations_end():
    """Strength of a hydrogen bond by a potential that begins with the bare molecule."""
    folder = Path(im.__file__).parents[1] / "data" / "malonaldehydes"
    card = json.loads((folder / "hydrogen_bonds.json").read_text())
    bond, sites = HydrogenBond(16, 11), {1: ("F",)}
    bare = evaluate(
        space_of(card["scaffold"], sites=sites), bond, "gfn2-xtb", im.Effort(), (0, 0, 0)
    )
    frames = im.sample(
        list(bare.structures.values()), "normal_modes", n=60, temperatures=(300.0, 600.0), seed=1,
        progress=False,
    )  # fmt: skip
    frames = im.label(frames, progress=False) + im.isolated_atoms(["H", "C", "O"])
    report = im.fit(
        frames, spec=im.Spec(channels=(24, 24, 12), lmax=(0, 3, 2), basis=8), progress=False
    )
    with TemporaryDirectory() as out:
        found = im.explore_and_learn(
            card["scaffold"], report, frames, sites=sites, objective=bond, out=out, rounds=2,
            most=24, budget=2, confirm=0, effort=im.Effort(guesses=1), progress=False,
        )  # fmt: skip
    log = found.log
    assert log["lacking"].iloc[0] > 0 == log["left"].iloc[0]  # fluorine is no element of it
    assert log["left"].iloc[1] > 0  # its parts are known by then, and that is not enough
    assert len(found.labels) == log["labels"].sum() <= 48
    ended = [a for a in found.labels if a.get_chemical_formula() == "C3H3FO2"]
    assert len(ended) >= 1


def test_a_potential_that_names_no_level_is_refused(tmp_path):
    potential = im.Potential([im.load("water").terms["repulsion"]])
    with pytest.raises(DesignError, match="level of theory"):
        im.explore_and_learn(
            "[H:1][O:2][CH2:3][*:9]", potential, [], groups=["F"],
            objective=RotationBarrier((1, 2, 3, 9)), out=tmp_path,
        )  # fmt: skip


@pytest.mark.parametrize("given", [{"bugdet": 5}, {"fit": {"rigde": 1.0}}])
def test_options_that_nobody_takes_are_refused_at_once(given, tmp_path):
    with pytest.raises(im.ArgumentError, match="has no option '(bugdet|rigde)'"):
        im.explore_and_learn("C[*:1]", im.load("water"), [], groups=["F"], out=tmp_path, **given)
    assert not list(tmp_path.iterdir())
