"""A potential that corrects a baseline is their sum, everywhere."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import CalculatorError
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential
from ase.calculators.singlepoint import SinglePointCalculator
from ase.calculators.test import gradient_test

import interpmd as im
from interpmd.attribution.models import as_model
from interpmd.levels import resolve
from interpmd.units import number_sign

SPEC = im.Spec(weights=300)


@pytest.fixture(scope="module")
def frames():
    some = im.sample(molecule("H2O"), "rattle", n=40, seed=0, stdev=0.08)
    return im.label(some, "gfn2-xtb", progress=False)


@pytest.fixture(scope="module")
def fitted(frames):
    return im.fit(
        frames[:12], test=frames[20:], spec=SPEC, baseline="gfn1-xtb", level="gfn2-xtb",
        progress=False,
    )  # fmt: skip


def test_the_sum_is_baseline_and_correction(fitted, frames):
    atoms = frames[-1]
    below = resolve("gfn1-xtb").evaluate(atoms)
    above = im.correction(fitted.potential).predict(atoms)
    whole = fitted.potential.predict(atoms)
    assert float(whole.energy) == pytest.approx(below.energy + float(above.energy), abs=1e-9)
    assert np.allclose(whole.forces, below.forces + above.forces.numpy(), atol=1e-9)


def test_errors_are_those_of_the_sum(fitted, frames):
    found = im.evaluate(fitted.potential, frames[20:])
    assert np.allclose(found.energy, fitted.evaluations["test"].energy, atol=1e-8)
    assert np.allclose(found.forces, fitted.evaluations["test"].forces, atol=1e-8)
    alone = fitted.evaluations["baseline alone"]
    below = np.concatenate([resolve("gfn1-xtb").evaluate(a).forces for a in frames[20:]])
    assert np.allclose(alone.forces[..., 1], below, atol=1e-8)
    errors = fitted.errors()["force_rmse_meV/A"]
    assert errors["test"] < 0.1 * errors["baseline alone"]


def test_few_labels_go_further_than_without(fitted, frames):
    direct = im.fit(
        frames[:12], test=frames[20:], spec=SPEC, isolated_energies="average", progress=False
    )
    ratio = (
        direct.errors()["force_rmse_meV/A"]["test"] / fitted.errors()["force_rmse_meV/A"]["test"]
    )
    assert ratio > 4


def test_forces_are_derivatives_and_error_bars_come_along(fitted, frames):
    atoms = frames[-1].copy()
    atoms.calc = fitted.potential.calculator()
    forces, numerical = gradient_test(atoms, [0, 2])
    assert np.allclose(forces, numerical, atol=1e-4)
    spread = atoms.calc.get_property("forces_std", atoms)
    of_correction = im.correction(fitted.potential).calculator().get_property("forces_std", atoms)
    assert spread.max() > 1e-5
    assert np.allclose(spread, of_correction)


def test_dynamics_conserve_the_energy_of_the_sum(fitted, frames):
    short = {"steps": 60, "interval": 10, "timestep": 0.1}
    run = im.simulate(
        fitted.potential, frames[-1].copy(), ensemble="nve", temperature=300, seed=0,
        progress=False, **short,
    )  # fmt: skip
    total = [a.get_potential_energy() + a.get_kinetic_energy() for a in run]
    assert np.ptp(total) < 2e-3


def test_rows_of_the_sum_are_those_of_both(fitted, frames):
    target = im.Force(1, along=0)
    found = im.corrections(fitted.potential, frames[-1], target)
    whole = im.explain(fitted.potential, frames[-1], target)
    assert found.to_frame()["sum_eV/A"].sum() == pytest.approx(whole.total, abs=1e-9)
    assert found.to_frame()["sum_eV/A"]["bond O0–H1"] == pytest.approx(
        whole.scalars()["bond O0–H1"], abs=1e-9
    )
    assert whole.total_std == pytest.approx(found.learned.total_std)
    rows, _ = found.plot()
    words = {label.get_text().split("  ")[0]: label.get_text() for label in rows.get_yticklabels()}
    bond = found.to_frame().loc["bond O0–H1"]
    both = [number_sign(bond[f"{name}_eV/A"]) for name in ("baseline", "sum")]
    assert words["bond O0–H1"] == f"bond O0–H1  {both[0]} → {both[1]}" and both[0] != both[1]


def test_words_of_an_energy_leave_out_zeros_of_both_levels(fitted, frames):
    pair = frames[-1].copy()
    pair.extend(frames[-2].copy())
    pair.positions[3:] += [3.2, 0.0, 0.0]
    found = im.corrections(fitted.potential, pair, im.Energy(), gauge="molecules")
    parts = found.to_frame()["correction_eV"].sum()
    assert f"by {np.round(parts, 3)} eV (energy, interactions" in str(found)
    assert abs(found.learned.total - parts) > 0.1


def test_a_named_baseline_comes_back_by_name(fitted, frames, tmp_path):
    fitted.potential.save(tmp_path / "sum")
    again = im.load(tmp_path / "sum")
    assert float(again.predict(frames[-1]).energy) == pytest.approx(
        float(fitted.potential.predict(frames[-1]).energy), abs=1e-9
    )
    assert again.card.provenance["baseline"]["name"] == "gfn1-xtb"
    with pytest.raises(im.ArgumentError, match="does not need one"):
        im.load(tmp_path / "sum", baseline=EMT())
    card = tmp_path / "sum" / "potential.json"
    card.write_text(card.read_text().replace("gfn1-xtb", "gfn2-xtb"))
    with pytest.raises(im.PotentialSealError):
        im.load(tmp_path / "sum")


class Copper(EMT):
    """A calculator of the same name that says something else."""

    factor = 1.0

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        for name in ("energy", "forces", "stress"):
            if name in self.results:
                self.results[name] = self.factor * self.results[name]


@pytest.fixture(scope="module")
def copper():
    frames = []
    for seed in range(8):
        atoms = bulk("Cu", cubic=True)
        atoms.rattle(0.1, seed=seed)
        atoms.set_cell(atoms.cell * (1 + 0.01 * (seed - 4)), scale_atoms=True)
        atoms.calc = MorsePotential(epsilon=0.35, r0=2.8, rho0=4.0, rcut1=4.0, rcut2=5.5)
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    return frames


def test_a_calculator_is_given_again_and_recognised(copper, tmp_path):
    report = im.fit(copper, spec=SPEC, baseline=Copper(), progress=False)
    report.potential.save(tmp_path / "copper")
    assert not json.loads((tmp_path / "copper" / "potential.json").read_text())["terms"][0][
        "config"
    ]["by_name"]
    with pytest.raises(im.PotentialFileError, match="baseline=calculator"):
        im.load(tmp_path / "copper")
    again = im.load(tmp_path / "copper", baseline=Copper())
    expected = report.potential.predict(copper[0], stress=True)
    found = again.predict(copper[0], stress=True)
    assert float(found.energy) == pytest.approx(float(expected.energy))
    other = Copper()
    other.factor = 1.01
    with pytest.raises(im.PotentialFileError, match="something else"):
        im.load(tmp_path / "copper", baseline=other)
    with pytest.raises(im.PotentialFileError, match="fitted to correct"):
        im.load(tmp_path / "copper", baseline=MorsePotential())


def test_stress_of_the_sum(copper):
    report = im.fit(copper, spec=SPEC, baseline="emt", progress=False)
    atoms = copper[0].copy()
    atoms.calc = report.potential.calculator()
    stress = atoms.get_stress()
    for axis in range(3):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            deform = np.eye(3)
            deform[axis, axis] += sign * 1e-4
            moved.set_cell(moved.cell @ deform, scale_atoms=True)
            energies.append(float(report.potential.predict(moved).energy))
        numerical = (energies[0] - energies[1]) / 2e-4 / atoms.get_volume()
        assert stress[axis] == pytest.approx(numerical, abs=1e-6)


@pytest.mark.parametrize("name", ["mmff94", "uff"])
def test_force_fields(name):
    ethanol = molecule("CH3CH2OH")
    ethanol.rattle(0.03, seed=1)
    result = resolve(name).evaluate(ethanol)
    for atom, axis in ((0, 0), (2, 1), (5, 2)):
        both = []
        for sign in (1, -1):
            moved = ethanol.copy()
            moved.positions[atom, axis] += sign * 1e-4
            both.append(resolve(name).evaluate(moved).energy)
        assert result.forces[atom, axis] == pytest.approx(-(both[0] - both[1]) / 2e-4, abs=1e-5)


def test_a_baseline_that_fails_names_the_frame(frames):
    broken = frames[3].copy()
    broken.positions[1] += [4.0, 0, 0]
    broken.calc = SinglePointCalculator(broken, energy=-130.0, forces=np.zeros((3, 3)))
    with pytest.raises(im.LabelError, match="training data, frame 12 .*mmff94"):
        im.fit([*frames[:12], broken], spec=SPEC, baseline="mmff94", progress=False)


def test_a_baseline_at_the_level_of_the_labels_leaves_nothing_to_correct():
    frames = im.label(
        im.sample(molecule("H2O"), "rattle", n=8, stdev=0.05, seed=2), "mmff94", progress=False
    )
    with pytest.warns(
        im.LabelWarning, match="those of the baseline mmff94 .*nothing to correct"
    ) as w:
        im.fit(frames, spec={"weights": 60}, baseline="mmff94", progress=False)
    assert next(x for x in w if "nothing" in str(x.message)).filename == __file__
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        im.fit(frames, spec={"weights": 60}, baseline="uff", progress=False)
    assert not any("nothing to correct" in str(x.message) for x in said)


def test_what_has_no_baseline_is_no_correction():
    with pytest.raises(im.LabelError, match="no baseline"):
        im.correction(im.load("water"))


def test_a_cure_corrects_the_same_baseline():
    frames = im.sample(two_waters(), "rattle", n=10, seed=0, stdev=0.04)
    labelled = im.label(frames, "gfn2-xtb", progress=False)
    fitted = im.fit(labelled, spec=SPEC, baseline="gfn1-xtb", progress=False)
    cured = im.cure(fitted, labelled, most=4, progress=False)
    assert cured.potential.card.provenance["baseline"]["name"] == "gfn1-xtb"
    assert cured.potential.card.provenance["frames"] > len(labelled)


def two_waters():
    """Two molecules of water, whose single molecules no frame holds."""
    pair = molecule("H2O")
    other = molecule("H2O")
    other.positions += [0.3, 0.2, 2.9]
    return pair + other


def test_errors_print_whole_in_a_terminal_of_any_width(fitted, monkeypatch):
    errors = fitted.errors()
    for width in (80, 50, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        with pd.option_context("display.max_columns", 0, "display.width", width):
            for said in (f"{errors}", f"{errors.round(2)}"):
                assert "..." not in said and max(map(len, said.splitlines())) <= width
                assert all(f" {name}" in said for name in errors.columns)
                assert said.count("baseline alone") == {80: 2, 50: 3, 200: 1}[width]


class Stubborn(EMT):
    """A level that fails for parts of one size."""

    def calculate(self, atoms, *args):
        if len(atoms) == 2 and 8 in atoms.numbers:
            raise CalculatorError("SCF not converged")
        super().calculate(atoms, *args)


def test_a_baseline_that_fails_for_a_part_says_for_which():
    water = im.sample(molecule("H2O"), "rattle", n=8, seed=0)
    frames = im.label(water, "gfn2-xtb", progress=False)
    spec = im.Spec(weights=60)
    fitted = im.fit(frames, baseline=Stubborn(), spec=spec, members=1, progress=False)
    with pytest.raises(im.CalculationError, match='for O0, H1 alone: .*SCF.*take gauge="groups"'):
        im.corrections(fitted.potential, frames[0], im.Force(1, along=0), gauge="atoms")
    alone = as_model(fitted.potential)
    with pytest.raises(im.CalculationError, match="for OH: .*SCF"):
        alone.evaluate([frames[0], frames[0][[0, 2]]])
