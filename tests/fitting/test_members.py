"""Several fits as one potential: it is their mean, errs less, and is kept and continued whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.io import write
from frames_of_methanol import ISOLATED, SMALL, TRUTH, frames
from typer.testing import CliRunner

import interpmd as im
from interpmd.cli import app
from interpmd.fitting import labels
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.channels import apart, joined, member
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.joint import Joint
from interpmd.fitting.judges import Judges
from interpmd.fitting.members import OF_CORRECTIONS, solve_members, usual_members
from interpmd.fitting.posterior import factor_of
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.fitting.turns import FEW_WEIGHTS, MOST
from interpmd.potentials import ClusterExpansion
from interpmd.potentials.uncertainty import posterior, posterior_by_torch, uncertainty
from interpmd.structures.files import read_frames
from interpmd.trust.conformance import check_potential

COUNT, SPEC = 3, {"weights": 500}
DATA = read_frames(Path(__file__).parents[2] / "data" / "malonaldehyde" / "train.extxyz.gz")
WHOLE = [a for a in DATA if len(a) == 9]
WHOLE = [WHOLE[k] for k in np.random.default_rng(0).permutation(len(WHOLE))]
TRAIN, FRESH = [*WHOLE[:60], *(a for a in DATA if len(a) == 1)], WHOLE[60:110]


@pytest.fixture(scope="module")
def report():
    return im.fit(TRAIN, spec=SPEC, members=COUNT, progress=False)


def parts_of(term: ClusterExpansion) -> list[ClusterExpansion]:
    """The members of a joined expansion: their channels stand in turn."""
    first = [k // COUNT for k in term.channels]
    found = []
    for number in range(COUNT):
        part = ClusterExpansion(**(term.config() | {"channels": first}))
        part.radial.load_state_dict(term.radial.state_dict())
        part.mixing.copy_(term.mixing[..., number::COUNT])
        orders, start = [], 0
        for channels, invariants in zip(part.channels, part.n_invariants, strict=True):
            stop = start + COUNT * channels * invariants
            each = term.readout[:, start:stop].unflatten(1, (channels, COUNT, invariants))
            orders.append(COUNT * each[:, :, number].flatten(1))
            start = stop
        part.readout.copy_(torch.cat(orders, dim=1))
        found.append(part)
    return found


def errors_of(potential: im.Potential, many) -> np.ndarray:
    predicted = [potential.predict(atoms).forces.numpy() for atoms in many]
    return np.concatenate(predicted) - np.concatenate([a.get_forces() for a in many])


def test_a_joined_expansion_is_the_mean_of_its_members():
    """Orders of different numbers of channels take the first ones of all members."""
    arguments = {"cutoff": 4.0, "lmax": (0, 2, 2, 1), "functions": 4}
    arguments["channels"] = [(1, 2, 1, 1), (5, 4, 3, 2), (4, 4, 2, 1)]
    first = ClusterExpansion(["H", "C", "O"], **arguments)
    members = [member(first, number) for number in range(COUNT)]
    rng = np.random.default_rng(0)
    for each in members:
        each.readout.copy_(each.in_readout(rng.normal(size=len(each.columns))))
        each.samples = each.in_readout(rng.normal(size=(len(each.columns), 2))).float()
    assert torch.equal(members[0].mixing, first.mixing)
    assert not torch.allclose(members[1].mixing, first.mixing)
    whole = im.Potential({"expansion": joined(members)}, elements=[1, 6, 8])
    alone = [im.Potential({"expansion": each}, elements=[1, 6, 8]) for each in members]
    for atoms in frames(3):
        found, each = whole.predict(atoms), [p.predict(atoms) for p in alone]
        energies = [float(p.energy) for p in each]
        assert np.std(energies) > 0.1
        assert float(found.energy) == pytest.approx(np.mean(energies), abs=1e-10)
        forces = np.mean([p.forces.numpy() for p in each], axis=0)
        assert np.allclose(found.forces, forces, rtol=0, atol=1e-10)
        for drawn in (posterior, posterior_by_torch):
            draws = drawn(whole, whole.batch(atoms))
            parts = [drawn(p, p.batch(atoms)) for p in alone]
            expected = sum(p.forces for p in parts) / COUNT**0.5
            assert torch.allclose(draws.forces, expected, rtol=0, atol=1e-6)


def test_the_mean_errs_less_than_each_member_and_the_first_is_the_fit_of_one(report):
    learned = report.potential.terms["expansion"]
    parts = parts_of(learned)
    rest = {n: t for n, t in report.potential.terms.items() if n != "expansion"}
    alone = [errors_of(im.Potential({**rest, "expansion": p}), FRESH) for p in parts]
    sizes = [np.sqrt((e**2).mean()) for e in alone]
    mean = np.sqrt((errors_of(report.potential, FRESH) ** 2).mean())
    assert mean < 0.95 * min(sizes)
    assert mean == pytest.approx(np.sqrt((np.mean(alone, axis=0) ** 2).mean()), rel=1e-9)
    one = im.fit(TRAIN, spec=SPEC, progress=False).potential.learned_terms["expansion"]
    assert torch.allclose(one.readout, parts[0].readout, rtol=1e-9, atol=1e-12)
    given = report.potential.card.provenance
    assert given["members"] == COUNT and given["weights"] == COUNT * len(one.columns)
    assert given["ridge"] == report.scan.attrs["ridge"]


def test_its_bars_hold_the_errors_of_new_frames(report):
    ratios = []
    for atoms in FRESH:
        drawn = posterior(report.potential, report.potential.batch(atoms))
        off = report.potential.predict(atoms).forces.numpy() - atoms.get_forces()
        ratios.append(np.abs(off / drawn.forces_std.numpy()).ravel())
    assert 0.9 < (np.concatenate(ratios) <= 2).mean() < 0.999


def test_it_conforms_and_comes_back_from_its_file(report, tmp_path):
    atoms = FRESH[0]
    check_potential(report.potential, atoms)
    report.save(tmp_path / "out")
    loaded = im.load(tmp_path / "out")
    one, two = (p.predict(atoms) for p in (report.potential, loaded))
    assert torch.equal(one.energy, two.energy) and torch.equal(one.forces, two.forces)
    rows = im.decompose(loaded, atoms)
    assert rows.energies.sum() == pytest.approx(float(two.energy), abs=1e-9)


def test_labels_are_added_to_each_member(report):
    fit, more, learned = GrowingFit(report.potential, TRAIN), FRESH[:10], report.potential
    grown = fit.add(more)
    rest = {n: t for n, t in learned.terms.items() if n != "expansion"}
    card = replace(learned.card, provenance=learned.card.provenance | {"members": 1})
    parts = apart(learned.terms["expansion"], COUNT)
    for part, expected in zip(parts, parts_of(learned.terms["expansion"]), strict=True):
        assert torch.equal(part.readout, expected.readout)
        assert torch.equal(part.nearest, learned.terms["expansion"].nearest)
    alone = [im.Potential({**rest, "expansion": p}, learned.elements, card) for p in parts]
    each = [GrowingFit(one, TRAIN).add(more) for one in alone]
    for atoms in FRESH[10:14]:
        found, known = grown.predict(atoms), [one.predict(atoms) for one in each]
        assert float(found.energy) == pytest.approx(
            np.mean([float(k.energy) for k in known]), abs=1e-8
        )
        drawn = [posterior(one, one.batch(atoms)).forces for one in each]
        expected = sum(drawn) / COUNT**0.5
        assert torch.allclose(posterior(grown, grown.batch(atoms)).forces, expected, atol=1e-5)
    later = FRESH[10:]
    assert (errors_of(grown, later) ** 2).mean() < 0.95 * (errors_of(learned, later) ** 2).mean()
    new = [float(uncertainty(grown, grown.batch(a)).extrapolation.max()) for a in more]
    assert max(new) <= 1.0 + 1e-6


def test_labels_are_not_added_to_members_that_were_solved_together(report):
    given = report.potential.card.provenance | {"apart": False}
    card = replace(report.potential.card, provenance=given)
    with pytest.raises(im.LabelError, match="channels of 3 fits.*members=1"):
        GrowingFit(im.Potential(dict(report.potential.terms), (1, 6, 8), card), TRAIN)
    with pytest.raises(im.ArgumentError, match="members"):
        im.fit(frames(10) + ISOLATED, members=0)
    with pytest.raises(im.ArgumentError, match="members"):
        im.learn(frames(6), frames(2), members=0)


@pytest.mark.filterwarnings("ignore::interpmd.errors.LabelWarning")
def test_corrections_by_few_labels_have_several():
    given = {"spec": im.Spec(**SMALL), "progress": False}
    many = frames(12)

    def members(report: im.FitReport) -> int:
        return report.potential.card.provenance.get("members", 1)

    assert members(im.fit(many, baseline="mmff94", **given)) == OF_CORRECTIONS
    assert members(im.fit(many, baseline="mmff94", members=1, **given)) == 1
    assert members(im.fit([*many, *ISOLATED], **given)) == 1
    assert usual_members(True, MOST + 1, 500) == usual_members(True, 20, FEW_WEIGHTS + 1) == 1
    learned = im.learn(many[:6], many[6:], baseline="mmff94", budget=10, batch=4, compare=False,
                       **given)  # fmt: skip
    assert members(learned.fit) == OF_CORRECTIONS


@pytest.mark.filterwarnings("ignore::interpmd.errors.LabelWarning")
def test_a_cure_fits_as_the_first_fit_did():
    some = [*frames(24), *ISOLATED]
    first = im.fit(some, spec=SMALL, members=2, mean_weight=3.0, progress=False)
    cured = im.cure(first, some, TRUTH.calculator(), most=3, progress=False)
    known = cured.potential.card.provenance
    assert (known["members"], known["mean_weight"]) == (2, 3.0)


def test_members_that_are_solved_are_not_solved_again(tmp_path, monkeypatch):
    solve, solved = Problem.solve, []

    def third_fails(problem, *args, **options):
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(problem.term.seed)
        return solve(problem, *args, **options)

    many = frames(30, 4) + ISOLATED
    options = {"spec": SMALL, "members": COUNT, "progress": False, "keep_equations": True}
    monkeypatch.setattr(Problem, "solve", third_fails)
    with pytest.raises(KeyboardInterrupt):
        im.fit(many, out=tmp_path / "out", **options)
    assert solved == [0, 1]
    second = tmp_path / "out.partial" / "member1.npz"  # as another version may have left it
    with np.load(second) as stored:
        np.savez(second, **{k: v for k, v in dict(stored).items() if k != "sizes"})
    resumed = []

    def count(problem, *args, **options):
        resumed.append(problem.term.seed)
        return solve(problem, *args, **options)

    monkeypatch.setattr(Problem, "solve", count)
    with pytest.warns(UserWarning, match="member1.npz is of another version, without sizes"):
        again = im.fit(many, out=tmp_path / "out", **options)
    assert resumed == [1, 2] and not (tmp_path / "out.partial").exists()
    monkeypatch.undo()
    whole = im.fit(many, **options)
    one, two = (r.potential.terms["expansion"] for r in (again, whole))
    assert torch.allclose(one.readout, two.readout, rtol=1e-9, atol=1e-12)
    assert torch.allclose(one.samples, two.samples, rtol=1e-4, atol=1e-7)
    assert torch.allclose(one.grade_scale, two.grade_scale, rtol=1e-5)
    assert again.scan.equals(whole.scan)
    assert (len(again.equations or ()), len(whole.equations)) == (0, COUNT)


def test_the_command_fits_members(tmp_path):
    write(tmp_path / "train.extxyz", frames(20) + ISOLATED)
    arguments = ["fit", tmp_path / "train.extxyz", "-o", tmp_path / "out", "--weights", 120]
    found = CliRunner().invoke(app, [*map(str, arguments), "--lmax", "2", "--members", "2"])
    assert found.exit_code == 0
    assert im.load(tmp_path / "out").card.provenance["members"] == 2


def test_bars_are_calibrated_about_the_mean_on_frames_that_no_member_saw(monkeypatch):
    """The deviations of held-out frames are those of the joined samples, times one factor."""
    monkeypatch.setattr(Joint, "fits", lambda joint: False)
    spec, many = Spec(**SMALL), frames(MOST + 10)  # of fewer all judge in turns
    base = unlearned({1: 0.0, 6: 0.0, 8: 0.0}, {})
    problem = Problem(spec.expansion([1, 6, 8], 0), base, spec, FitSettings())
    whole, solved, _ = solve_members(problem, COUNT, many, fraction=0.25)
    held = [many[k] for k in labels.split(len(many), 0.25, 0)[1]]
    judges = Judges(whole.term, solved.scale, held, whole.targets(held))
    seen = list(judges.judged(solved.mean, solved.samples))
    for one, two in zip(solved.held, seen, strict=True):
        size = np.abs(two.forces_draws).max()
        assert np.allclose(one.forces_draws, two.forces_draws, rtol=0, atol=5e-3 * size)
        assert np.allclose(one.energy_draws, two.energy_draws, rtol=2e-2, atol=1e-3)
    assert factor_of(solved.held) == pytest.approx(1.0)
    sizes = [np.sqrt(np.mean([f.forces**2 for f in each])) for each in (solved.held, seen)]
    assert sizes[0] > 1.5 * sizes[1]  # in the end they were learned too
