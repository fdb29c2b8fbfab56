"""Fitting: known truth is found again, bad data are named, memory is bounded, runs resume."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from frames_of_methanol import ISOLATED, SMALL, TRUTH, frames, labelled

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.sites import subsets_of_neighbours
from interpmd.errors import LabelWarning, MemoryLimitError
from interpmd.fitting import closed_form as fitting
from interpmd.fitting.grade import FALSE_ALARMS, Spread, spread_of, usual_spread
from interpmd.fitting.labels import isolated_energies
from interpmd.fitting.normal import NormalEquations, displaced, weighted_rows
from interpmd.fitting.shares import body_order_shares
from interpmd.fitting.targets import Targets
from interpmd.potentials import ClusterExpansion
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.edges import CLOSEST_APPROACH


@pytest.fixture(scope="module")
def report():
    return im.fit(frames(80) + ISOLATED, test=frames(20, 1), spec=SMALL, progress=False)


def test_a_stillinger_weber_potential_is_found_again(report):
    errors = report.errors().loc["test"]
    typical = 1e3 * np.std([a.calc.results["forces"] for a in frames(20, 1)])
    assert errors["force_rmse_meV/A"] < 0.03 * typical
    assert set(report.evaluations["test"].by_element().index) == {"H", "C", "O"}


def test_the_read_out_is_the_minimum_of_the_penalised_squares():
    """The gradient of the posterior's exponent vanishes at the solution."""
    term = ClusterExpansion(["H", "C", "O"], **SMALL)
    many = frames(12)
    targets = [
        Targets(a.calc.results["energy"], a.calc.results["forces"], energy_weight=3) for a in many
    ]
    size = 3 * term.n_features
    scale, prior = np.full(size, 0.7), np.full(size, 1e-3)
    equations = NormalEquations(term, scale, memory=1.0)
    equations.add(many, targets)
    mean = equations.solve(prior).mean
    rows = [weighted_rows(equations.term, a, t, scale) for a, t in zip(many, targets, strict=True)]
    x = np.concatenate([r for r, _ in rows]).astype(float)
    y = np.concatenate([v for _, v in rows])
    gradient = x.T @ (x @ mean - y) + prior * mean
    assert np.abs(gradient).max() < 1e-6 * np.abs(x.T @ y).max()


def test_blocks_do_not_change_the_normal_equations():
    term, many = ClusterExpansion(["H", "C", "O"], **SMALL), frames(7)
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    scale = np.ones(3 * term.n_features)
    one, two = (NormalEquations(term, scale, memory=1.0) for _ in range(2))
    two.block_rows = 5
    one.add(many, targets)
    two.add(many, targets)
    assert np.allclose(np.tril(one.matrix), np.tril(two.matrix), rtol=1e-10)
    assert np.allclose(one.vector, two.vector, rtol=1e-10)


def test_posterior_samples_have_the_covariance_of_the_posterior():
    term, many = ClusterExpansion(["H", "C", "O"], lmax=1, channels=(2, 1), functions=2), frames(6)
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    size = 3 * term.n_features
    equations = NormalEquations(term, np.ones(size), memory=1.0)
    equations.add(many, targets)
    prior = np.full(size, 1.0)
    solution = equations.solve(prior)
    full = np.tril(equations.matrix) + np.tril(equations.matrix, -1).T + np.diag(prior)
    expected = solution.variance * np.linalg.inv(full)
    samples = solution.samples(20_000, seed=0)
    assert np.allclose(samples @ samples.T / 20_000, expected, atol=0.05 * expected.max())


def test_error_bars_match_the_errors(report):
    """Calibrated on frames held out: on new frames the mean squares agree within a factor."""
    errors, bars = [], []
    calculator = report.potential.calculator()
    for atoms in frames(15, 2):
        found = report.potential.predict(atoms)
        errors.append(found.forces.numpy() - atoms.calc.results["forces"])
        bars.append(calculator.get_property("forces_std", atoms))
    ratio = np.sqrt(np.mean(np.square(errors)) / np.mean(np.square(bars)))
    assert 0.5 < ratio < 2


def test_extrapolation_grade_rises_outside_the_data(report):
    inside = report.potential.calculator().get_property("extrapolation", frames(9, 0)[8])
    torn = molecule("CH3OH")
    torn.positions[0] += [0, 0, 1.2]
    with pytest.warns(UserWarning, match="unlike the training data"):
        outside = report.potential.calculator().get_property("extrapolation", torn)
    assert inside.max() <= 1 + 1e-9
    assert outside.max() > 3 * inside.max()


def test_the_grade_counts_from_the_least_certain_of_all_training_frames(report):
    potential, many = report.potential, frames(150)
    species = potential.terms["expansion"].species
    largest = torch.zeros(150, 3, dtype=torch.float64)
    energies = np.zeros(150)
    for i, atoms in enumerate(many):
        bars = uncertainty(potential, potential.batch(atoms))
        spread = bars.forces_std.norm(dim=1)
        energies[i] = float(bars.energy_std[0]) / len(atoms) ** 0.5
        for atom, number in enumerate(atoms.numbers):
            largest[i, species[number]] = max(largest[i, species[number]], spread[atom])
    least_certain = int(largest.sum(1).argmax())
    for place in (0, 77):  # wherever that frame stands
        moved = [*many[:least_certain], *many[least_certain + 1 :]]
        moved.insert(place, many[least_certain])
        found = usual_spread(potential, potential.terms["expansion"], moved)
        torch.testing.assert_close(found.force, largest.amax(0))
        assert found.energy == pytest.approx(energies.max())


def test_weights_of_subsets_were_called_weights():
    with pytest.warns(FutureWarning, match="subset_weights"), pytest.raises(im.LabelError):
        im.fit([], weights={"dimer": 1e-3})


def test_warnings_of_a_fit_point_at_its_caller():
    with pytest.warns(im.LabelWarning, match="no isolated-atom energies") as seen:
        im.fit(frames(12), spec=SMALL, progress=False)
    assert {warning.filename for warning in seen} == {__file__}


def passing(potential, fresh) -> float:
    """Share of frames that are not called unlike the training data."""
    grades = [uncertainty(potential, potential.batch(atoms)).extrapolation for atoms in fresh]
    return float(np.mean([float(grade.max()) < 1 for grade in grades]))


def spreads(potential, fresh) -> list[Spread]:
    """How uncertain each of some frames is."""
    term, found = potential.terms["expansion"], []
    for atoms in fresh:
        said = uncertainty(potential, potential.batch(atoms))
        sizes = said.forces_std.norm(dim=1).numpy()
        found.append(spread_of(term, atoms.numbers, float(said.energy_std[0]), sizes))
    return found


@pytest.mark.parametrize(("count", "last"), [(40, "error bars"), (130, "solution")])
def test_what_a_fit_is_busy_with_is_shown(capsys, count, last):
    im.fit([*frames(count), *ISOLATED], spec=SMALL, progress=True)
    shown = capsys.readouterr().err
    assert all(f"{stage}: " in shown for stage in ("frames", "ridge", last))
    assert f"{last}: 100%" in shown


def test_few_frames_judge_all_of_them_so_that_new_ones_pass():
    """A tenth of forty frames let a quarter of new ones pass; 98 % should."""
    potential = im.fit([*frames(40), *ISOLATED], spec=SMALL, progress=False).potential
    assert passing(potential, frames(40, seed=7)) > 0.85


def test_frames_of_little_weight_do_not_vouch_for_others():
    """The grade counts from the molecules, not from fragments that are hardly known."""
    fragments = [labelled(Atoms("CO", [(0, 0, 0), (0, 0, r)])) for r in np.linspace(1, 3, 12)]
    for atoms in fragments:
        atoms.info["subset"] = "dimer"
    molecules = frames(40)
    potential = im.fit(
        [*molecules, *fragments, *ISOLATED],
        spec=SMALL,
        subset_weights={"dimer": 1e-3},
        progress=False,
    ).potential
    term = potential.terms["expansion"]
    usual = usual_spread(potential, term, molecules)
    ratio = term.grade_scale / usual.force  # one factor, from the frames held out
    # of what new frames need, not of 1: 40 molecules hardly determine 264 weights, so that new ones
    # are less certain by far (a factor of 1, of four frames held out, let half of them pass)
    fresh = [each.over(usual) for each in spreads(potential, frames(100, seed=7))]
    needed = float(np.quantile(fresh, 1 - FALSE_ALARMS))
    assert torch.allclose(ratio, ratio[0]) and 0.3 < float(ratio[0]) / needed < 3
    assert passing(potential, frames(40, seed=7)) > 0.85
    everything = [*molecules, *fragments]
    assert (usual_spread(potential, term, everything).force > 2 * usual.force).any()
    carbon, oxygen = (int(term.species[z]) for z in (6, 8))
    widest = max(a.get_all_distances()[0, 1] for a in molecules)
    assert widest < float(term.nearest[carbon, oxygen, 0, 1]) < widest + 0.5 < 3.0


def test_isolated_atoms_from_frames_from_arguments_or_with_a_warning():
    assert isolated_energies(ISOLATED + frames(3)) == {1: 0.0, 6: 0.0, 8: 0.0}
    given = {"H": -1.0, 6: -2.0, "O": -3.0}
    assert isolated_energies(frames(3), given) == {1: -1.0, 6: -2.0, 8: -3.0}
    with pytest.warns(LabelWarning, match="no isolated-atom energies for H, C, O"):
        found = isolated_energies(frames(3))
    mean = np.mean([a.calc.results["energy"] for a in frames(3)])
    assert 4 * found[1] + found[6] + found[8] == pytest.approx(mean)


def test_frames_without_labels_are_named():
    bad = frames(6)
    bad[4].calc.results.clear()
    with pytest.raises(im.LabelError, match=r"frame 4 .* has no energy and no forces; ASE expects"):
        im.fit([*bad, *ISOLATED], spec=SMALL, progress=False)
    bad[4].info["REF_energy"], bad[4].arrays["REF_forces"] = 1.0, np.zeros((6, 3))
    with pytest.raises(im.LabelError, match="pass energy_key='REF_energy'.*forces_key='REF_f"):
        im.fit([*bad, *ISOLATED], spec=SMALL, progress=False)


def test_labels_that_are_infinite_or_misshapen_are_named():
    bad = frames(6)
    bad[2].calc.results["forces"][1, 1] = np.inf
    with pytest.raises(im.LabelError, match="frame 2 .*not finite"):
        im.fit(bad, spec=SMALL, progress=False)
    bad = frames(6)
    bad[3].calc.results["forces"] = np.zeros((5, 3))
    with pytest.raises(im.LabelError, match=r"frame 3 .*forces have the shape \(5, 3\)"):
        im.fit(bad, spec=SMALL, progress=False)


def test_strange_elements_in_the_test_set_are_named():
    strange = labelled(molecule("CH3SH"))
    with pytest.raises(im.UnknownElementError, match="test data, frame 0 holds S"):
        im.fit(frames(8) + ISOLATED, test=[strange], spec=SMALL, progress=False)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(im.LabelError, match="there is no file"):
        im.fit(tmp_path / "nothing.xyz", progress=False)
    (tmp_path / "foreign.xyz").write_bytes(b"\x00\x01 not a structure")
    with pytest.raises(im.LabelError, match="cannot be read"):
        im.fit(tmp_path / "foreign.xyz", progress=False)
    write(tmp_path / "cut.xyz", frames(3), format="extxyz")
    text = (tmp_path / "cut.xyz").read_text()
    (tmp_path / "cut.xyz").write_text(text[: len(text) - 150])
    with pytest.raises(im.LabelError, match="truncated"):
        im.fit(tmp_path / "cut.xyz", progress=False)


def test_the_memory_limit_is_kept():
    with pytest.raises(MemoryLimitError, match="raise memory="):
        im.fit(frames(8) + ISOLATED, spec=SMALL, memory=0.05, progress=False)


def test_weights_of_subsets_matter():
    many = frames(60)
    for index, atoms in enumerate(many):
        atoms.info["subset"] = "a" if index % 2 else "b"
    spec = SMALL | {"channels": (3, 3)}
    arguments = {"spec": spec, "ridge": 1e-6, "progress": False}
    heavy = im.fit(many + ISOLATED, test=many, subset_weights={"a": 30.0}, **arguments)
    light = im.fit(many + ISOLATED, test=many, subset_weights={"a": 1 / 30}, **arguments)
    error = [r.evaluations["test"].by_subset().loc["a", "force_rmse_meV/A"] for r in (heavy, light)]
    assert error[0] < 0.98 * error[1]


@pytest.mark.filterwarnings("error::interpmd.errors.LabelWarning")
def test_stress_is_learned():
    """Of crystals whose cells differ; that makes no false alarm about energies and forces."""
    rng = np.random.default_rng(0)

    def crystal():
        atoms = Atoms("CO", positions=[[0, 0, 0], [1.4, 1.3, 1.2]], pbc=True)
        atoms.set_cell(np.eye(3) * 2.8 + rng.normal(scale=0.12, size=(3, 3)), scale_atoms=False)
        atoms.positions += rng.normal(scale=0.08, size=(2, 3))
        found = TRUTH.predict(atoms, stress=True)
        stress = found.stress[0].numpy()
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(found.energy),
            forces=found.forces.numpy(),
            stress=stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]],
        )
        return atoms

    train, test = [crystal() for _ in range(60)], [crystal() for _ in range(10)]
    report = im.fit(train + ISOLATED[1:], test=test, spec=SMALL, progress=False)
    errors = [
        report.potential.predict(a, stress=True).stress[0].numpy() - a.get_stress(voigt=False)
        for a in test
    ]
    spread = np.std([a.get_stress() for a in test])
    rmse = np.sqrt(np.mean(np.square(errors)))
    assert rmse < 0.15 * spread
    assert report.errors().loc["test", "stress_rmse_meV/A^3"] == pytest.approx(1e3 * rmse)


def test_the_report_is_written_and_the_potential_comes_back(report, tmp_path):
    report.save(tmp_path / "out")
    stored = json.loads((tmp_path / "out" / "report.json").read_text())
    assert stored["errors"]["test"] == report.evaluations["test"].summary()
    assert (tmp_path / "out" / "parity.png").stat().st_size > 10_000
    again = im.load(tmp_path / "out")
    atoms = frames(1, 5)[0]
    assert torch.equal(again.predict(atoms).forces, report.potential.predict(atoms).forces)
    assert again.card.provenance["seed"] == 0
    assert "frames" in report._repr_html_()


def test_channels_are_scaled_to_the_number_of_weights():
    term = fitting.Spec(basis=5).expansion([1, 6, 8], seed=0)
    assert 0.9 * 15_000 < 3 * term.n_features <= 15_000


def test_shares_of_the_body_orders(report):
    """Of Stillinger-Weber's pairs and triplets, and of what was fitted to their sum."""
    many = frames(12, 3)
    true = body_order_shares(TRUTH, many)
    assert list(true.index) == ["pair", "triplet"]
    assert np.allclose(true[["energy_share", "force_share"]].sum(), 1.0, atol=1e-9)
    pairs, energies, pushes = [], [], []
    for atoms in many:
        table = decompose(TRUTH, atoms)
        order = table.by("order")
        pairs.append(order.energy_eV[2])
        energies.append(table.energy)
        pushes.append([order["force_eV/A"][2] ** 2 / len(atoms) / 3])
    slope = np.polyfit(energies, pairs, 1)[0]  # covariance over variance
    assert true.loc["pair", "energy_share"] == pytest.approx(slope)
    assert true.loc["pair", "energy_std_eV"] == pytest.approx(np.std(pairs))
    assert true.loc["pair", "force_rms_eV/A"] == pytest.approx(np.sqrt(np.mean(pushes)))
    found = report.shares(progress=False)
    assert list(found.index) == ["pair", "triplet", "quadruplet"]
    assert np.allclose(found[["energy_share", "force_share"]].sum(), 1.0, atol=1e-9)
    assert "quadruplet" in str(report)
    assert "body orders" in report._repr_html_()


def test_shares_keep_to_their_budget():
    many = frames(12, 3)
    [each] = subsets_of_neighbours(TRUTH, many[0], [3])
    some = body_order_shares(TRUTH, many, budget=11 * each)
    assert some.attrs["order"] == 3
    assert 10 <= some.attrs["frames"] < 12
    few = body_order_shares(TRUTH, many, budget=4 * each)
    assert few.attrs["order"] == 2
    assert list(few.index) == ["pair", "above"]
    assert few[["energy_share", "force_share"]].sum().to_numpy() == pytest.approx(1.0)
    assert body_order_shares(TRUTH, many, budget=1).attrs == {"frames": 1, "order": 2}


def test_learning_curve_falls():
    curve = im.learning_curve(
        frames(80) + ISOLATED, frames(20, 1), sizes=[10, 80], spec=SMALL, progress=False
    )
    assert curve.loc[80, "force_rmse_meV/A"] < 0.7 * curve.loc[10, "force_rmse_meV/A"]


def test_evaluations_and_reports_are_short_tables_in_plain_python(report):
    name, found = next(iter(report.evaluations.items()))
    shown = repr(found)
    assert "array(" not in shown and len(shown.splitlines()) < 20
    value = found.summary()["force_rmse_meV/A"]
    assert f"{round(value, 3):g}" in shown and "element" in shown and "frames" in shown
    assert len(repr(report).splitlines()) < 25 and name in repr(report)
    assert "array(" not in repr(report)


def test_displaced_frames_keep_nuclei_apart():
    """Of hydrogen that is compressed a displacement of 0.1 Å would lay one atom on the other."""
    close = Atoms("H2", [[0, 0, 0], [0, 0, 0.3]])
    lengths = [displaced(close, seed).get_distance(0, 1) for seed in range(200)]
    assert min(lengths) > CLOSEST_APPROACH and max(lengths) > 0.5
    far = Atoms("H2", [[0, 0, 0], [0, 0, 3.0]])
    moves = [displaced(far, seed).positions - far.positions for seed in range(200)]
    assert np.std(moves) == pytest.approx(0.1, rel=0.1)
