"""Channels that are refined: derivatives, what a round gains, what it leaves alone."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from ase.build import bulk
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.errors import MemoryLimitError
from interpmd.fitting import refinement
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.by_mixing import ByMixing
from interpmd.fitting.channels import member
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.normal import column_scales, weighted_rows
from interpmd.fitting.problem import Problem
from interpmd.fitting.refinement import refine_mixing
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.size import ROUNDS, choose_size, usual_rounds, usual_validation
from interpmd.fitting.spec import Spec
from interpmd.fitting.strengths import OF_REFINED, first_of_the_good
from interpmd.fitting.targets import Targets
from interpmd.fitting.turns import held_out
from interpmd.potentials import ClusterExpansion
from interpmd.potentials.fast.mixing import MixingSlopes
from interpmd.structures.edges import environments, neighbours
from interpmd.structures.systems import Batch

ELEMENTS = [1, 6, 8]
FEW = SMALL | {"channels": (4, 4, 3), "functions": 6}


def problem_of(**settings) -> Problem:
    spec = Spec(**FEW)
    base = unlearned(dict.fromkeys(ELEMENTS, 0.0), {})
    return Problem(spec.expansion(ELEMENTS, 0), base, spec, FitSettings(**settings))


def partly_labelled():
    """A molecule, one without an energy, one that lacks forces, and a crystal; their targets."""
    rng = np.random.default_rng(3)
    many = frames(3)
    many.append(bulk("C", cubic=True))
    many[-1].rattle(0.05, seed=1)
    targets = []
    for k, atoms in enumerate(many):
        forces = rng.normal(size=(len(atoms), 3))
        energy = rng.normal()
        if k == 1:
            energy = np.nan
        if k == 2:
            forces[1:3] = np.nan
        targets.append(Targets(energy, forces, energy_weight=3.0, force_weight=1.0 + k))
    return many, targets


def labelled_term():
    many, targets = partly_labelled()
    term = ClusterExpansion(ELEMENTS, **FEW)
    rng = np.random.default_rng(0)
    term.readout.copy_(term.in_readout(rng.normal(size=len(term.columns))))
    return term, ByMixing(term, many, targets)


def test_labels_that_are_missing_count_nothing():
    term, labelled = labelled_term()
    assert labelled.count == (1 + 18) + 18 + (1 + 12) + (1 + 24)
    slopes = MixingSlopes(term)
    for numbers in (labelled.values, labelled.predicted(slopes, slopes.mixing)):
        assert np.isfinite(numbers).all() and not numbers[labelled.weights == 0].any()


def test_rows_and_predictions_are_those_of_a_fit():
    term, labelled = labelled_term()
    scale = np.linspace(0.5, 2.0, len(term.columns))
    rows = labelled.design(term, scale)
    made = [
        weighted_rows(term, atoms, target, scale)
        for atoms, target in zip(labelled.frames, labelled.targets, strict=True)
    ]
    known = labelled.weights > 0
    assert labelled.values[known] == pytest.approx(np.concatenate([y for _, y in made]))
    weights = term.readout.flatten().numpy()[term.columns] * scale
    slopes = MixingSlopes(term)
    predicted = labelled.predicted(slopes, slopes.mixing)
    assert predicted[known] == pytest.approx(np.concatenate([x for x, _ in made]) @ weights)
    assert rows @ weights == pytest.approx(labelled.fewer(predicted), abs=1e-9)
    assert labelled.whole(rows @ weights) == pytest.approx(predicted, abs=1e-9)


def test_rows_of_whole_free_molecules_know_nothing_of_rigid_motions():
    # of six atoms, 18 forces; the third lacks forces, the last is a crystal of eight
    term, labelled = labelled_term()
    rows = labelled.design(term, np.ones(len(term.columns)))
    assert len(rows) == (1 + 12) * 2 + 19 + 25
    pushed = np.zeros(len(labelled.values))
    pushed[1:19:3] = 1.0  # all atoms of the first frame along x
    assert labelled.fewer(pushed) == pytest.approx(0, abs=1e-12)
    rows = np.random.default_rng(0).normal(size=len(labelled.values))
    inner = labelled.whole(labelled.fewer(rows))
    assert labelled.whole(labelled.fewer(inner)) == pytest.approx(inner)
    assert inner[19 * 2 :] == pytest.approx(rows[19 * 2 :])
    assert inner[1:19].reshape(-1, 3).sum(0) == pytest.approx(0, abs=1e-12)


def test_derivatives_forward_and_back_are_adjoint_and_right():
    term, labelled = labelled_term()
    slopes, rng = MixingSlopes(term), np.random.default_rng(1)
    change, rows = rng.normal(size=slopes.mixing.shape), rng.normal(size=len(labelled.values))
    forward, back = labelled.forward(slopes, slopes.mixing, change), labelled.back(slopes, rows)
    assert float((back * change).sum()) == pytest.approx(float(rows @ forward), rel=1e-5)
    step = 1e-5
    more = labelled.predicted(slopes, slopes.mixing + step * change)
    less = labelled.predicted(slopes, slopes.mixing - step * change)
    assert forward == pytest.approx((more - less) / (2 * step), abs=1e-4 * np.abs(forward).max())
    here = labelled.predicted(slopes, slopes.mixing)
    one_sided = labelled.forward(slopes, slopes.mixing, change, here)
    assert one_sided == pytest.approx(forward, abs=1e-4 * np.abs(forward).max())


def test_a_round_lowers_the_misfit_and_keeps_the_length_of_columns():
    problem, many = problem_of(), frames(40)
    labelled = ByMixing(problem.term, many, problem.targets(many))
    root = refinement._roots(problem.term, labelled)

    def look():
        scale = column_scales(problem.term, many, 0)
        lengths = np.linalg.norm(np.linalg.solve(root, problem.term.mixing.numpy()), axis=1)
        return refinement._solve(problem, labelled, scale).value, lengths

    before, lengths = look()
    assert refine_mixing(problem, many, frames(5, 1), 1)[0] > 0
    after, kept = look()
    assert after < 0.3 * before
    assert kept == pytest.approx(lengths)


def test_what_a_worse_round_did_is_taken_back(monkeypatch):
    problem, many = problem_of(), frames(40)
    mixings, step = [problem.term.mixing.numpy().copy()], refinement._step

    def wrong(labelled, solved, slopes, root, found):
        mixings.append(slopes.mixing)
        good = len(mixings) == 2
        alike = np.repeat(found[..., :1], found.shape[-1], -1)
        return step(labelled, solved, slopes, root, found) if good else alike

    monkeypatch.setattr(refinement, "_step", wrong)
    history = refine_mixing(problem, many, frames(8, 1), 5)
    assert len(history) == 3 and history[1] < history[0] and history[2] > history[1]
    assert problem.term.mixing.numpy() == pytest.approx(mixings[2])


def test_refined_channels_err_less_on_frames_that_were_not_seen():
    many, tests = frames(100) + ISOLATED, frames(30, 1)
    plain, refined = (
        im.fit(many, test=tests, spec=FEW, refine=rounds, progress=False) for rounds in (0, 3)
    )
    errors = [r.errors().loc["test", "force_rmse_meV/A"] for r in (plain, refined)]
    assert errors[1] < 0.6 * errors[0]
    [history] = refined.potential.card.provenance["refinement"]
    assert len(history) == 3 and history[-1] < 0.7 * history[0]


def test_frames_that_are_held_out_teach_the_channels_nothing():
    many = frames(40)
    held = held_out(many, None, 0.1, 0)
    other = frames(40)
    for k in held:
        other[k].calc.results["forces"] = other[k].calc.results["forces"] + 0.01
    mixings = [
        im.fit(each + ISOLATED, spec=FEW, refine=2, progress=False)
        .potential.terms["expansion"]
        .mixing
        for each in (many, other)
    ]
    assert len(held) == 4 and mixings[0].equal(mixings[1])


def test_energies_with_zeros_of_their_own_teach_nothing():
    problem = problem_of()
    own = replace(problem, settings=replace(problem.settings, mean_weight=1.0))
    assert refinement._by_mixing(own, frames(3)).count == 3 * 18
    assert refinement._by_mixing(problem, frames(3)).count == 3 * 19


def test_a_refined_member_has_half_the_weights_unless_they_are_given():
    many = frames(40)

    def weights(spec, refined):
        return choose_size(many, ELEMENTS, spec, FitSettings(), refined).weights

    assert weights(Spec(), True) == 40 * 19 // 2
    assert weights(Spec(weights=500), True) == 500
    assert choose_size(frames(1) * 1000, ELEMENTS, Spec(), FitSettings(), True).weights == 7_500


def test_molecules_with_more_labels_than_weights_are_refined(monkeypatch):
    monkeypatch.setattr("interpmd.fitting.spec.PER_ELEMENT", 200)  # 600 weights
    many = frames(40)  # 760 labels

    def rounds(data=many, **given) -> int:
        settings = {k: given.pop(k) for k in ("mean_weight", "soft_weight", "device") if k in given}
        return usual_rounds(data, ELEMENTS, Spec(**given), FitSettings(**settings))

    assert rounds() == ROUNDS and rounds(lmax=2) == ROUNDS
    assert rounds(frames(31)) == 0  # 589 labels
    assert rounds(weights=600) == rounds(channels=(4, 4)) == 0
    assert rounds(mean_weight=1.0) == rounds(soft_weight=1.0) == rounds(device="cuda") == 0
    boxed = [atoms.copy() for atoms in many]
    boxed[7].set_cell([9.0, 9.0, 9.0])
    boxed[7].pbc = True
    for atoms, labelled in zip(boxed, many, strict=True):
        atoms.calc = labelled.calc
    assert rounds(boxed) == 0
    with monkeypatch.context() as patch:
        patch.setattr("interpmd.fitting.size.available", lambda: False)
        assert rounds() == 0
    monkeypatch.setattr("interpmd.fitting.size.of_atoms", lambda frames: True)
    assert rounds() == 0


def test_a_fit_refines_by_default_and_says_so(monkeypatch):
    monkeypatch.setattr("interpmd.fitting.spec.PER_ELEMENT", 250)
    spec = {"cutoff": 3.0, "functions": 6}
    many = frames(40) + ISOLATED
    usual, random, one = (
        im.fit(many, spec=spec, progress=False, **how).potential.card.provenance
        for how in ({}, {"refine": 0}, {"members": 1})
    )
    assert usual["refine"] == one["refine"] == ROUNDS
    assert usual["spec"]["lmax"] == (0, 4, 4, 4) and usual["weights"] == 2 * one["weights"] <= 750
    assert usual["members"] == 2 and usual["apart"] and "members" not in one
    assert all(ROUNDS >= len(history) > 0 for history in usual["refinement"])
    assert [len(each["refinement"]) for each in (usual, one)] == [2, 1]
    assert usual["refinement"][0] == one["refinement"][0] != usual["refinement"][1]
    assert "refine" not in random and random["spec"]["lmax"] == (0, 4, 4, 3)
    assert 375 < random["weights"] <= 750 and "members" not in random


def test_members_are_refined_and_solved_each_by_itself(monkeypatch):
    """The mean of two fits whose channels are those of two seeds, of the same radial functions."""
    monkeypatch.setattr("interpmd.fitting.spec.PER_ELEMENT", 250)
    many, tests = frames(40) + ISOLATED, frames(3, 1)
    options = {"spec": {"cutoff": 3.0, "functions": 6}, "ridge": 1e-6, "progress": False}
    both = im.fit(many, **options).potential

    alone = [im.fit(many, members=1, **options).potential]
    problem = "interpmd.fitting.closed_form.Problem"
    own = im.fitting.problem.Problem
    monkeypatch.setattr(problem, lambda term, *rest: own(member(term, 1), *rest))
    alone.append(im.fit(many, members=1, **options).potential)
    for atoms in tests:
        mean = np.mean([each.predict(atoms).forces.numpy() for each in alone], axis=0)
        assert both.predict(atoms).forces.numpy() == pytest.approx(mean, abs=1e-8)
        assert not np.allclose(mean, alone[0].predict(atoms).forces.numpy(), atol=1e-4)


def test_labels_are_added_to_refined_members():
    many, more, tests = frames(60) + ISOLATED, frames(30, 1), frames(20, 2)
    options = {"spec": FEW, "refine": 2, "members": 2, "progress": False}
    report = im.fit(many, keep_equations=True, **options)
    assert len(report.equations) == 2
    known = GrowingFit(report.potential, many, equations=report.equations).add(more)
    anew = GrowingFit(report.potential, many).add(more)
    sizes = []
    for potential in (report.potential, known, anew):
        errors = [potential.predict(a).forces.numpy() - a.get_forces() for a in tests]
        sizes.append(np.sqrt(np.mean(np.square(errors))))
    assert sizes[1] == pytest.approx(sizes[2], rel=1e-6) and sizes[1] < 0.95 * sizes[0]
    mixings = [p.terms["expansion"].mixing for p in (report.potential, known)]
    assert mixings[0].equal(mixings[1])


def test_of_many_frames_that_refine_a_twentieth_is_held_out():
    parts = [usual_validation(count, refined) for count in (199, 200) for refined in (False, True)]
    assert parts == [0.1, 0.1, 0.1, 0.05]


def test_the_strength_of_refined_channels_is_chosen_by_all_of_them_and_upwards(monkeypatch):
    many = frames(40) + ISOLATED

    def scan():
        return im.fit(many, spec=FEW, refine=1, progress=False).scan

    by_all = scan()
    monkeypatch.setattr("interpmd.fitting.problem.FEW_WEIGHTS", 10)
    assert scan().equals(by_all)
    tried = by_all.ridge.tolist()
    assert tried == list(OF_REFINED[: len(tried)]) and len(tried) > 1


def test_of_good_strengths_the_first_is_taken():
    def taken(*errors: float) -> float:
        scan = pd.DataFrame({"ridge": OF_REFINED, "validation_error": errors})
        return first_of_the_good(scan).ridge

    assert taken(1.02, 1.0, 0.995, 2.0) == OF_REFINED[0]
    assert taken(1.1, 1.02, 1.0, 2.0) == OF_REFINED[1]
    assert taken(*[np.nan] * 4) == OF_REFINED[0]


def test_what_cannot_be_refined_is_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numba", None)
        with pytest.raises(im.errors.MissingPackageError, match=r"refine=.*interpmd\[fast\]"):
            im.fit(frames(8) + ISOLATED, spec=FEW, refine=1, progress=False)
    problem, many = problem_of(memory=1e-4), frames(20)
    with pytest.raises(MemoryLimitError, match="to refine channels of .* weights needs"):
        refine_mixing(problem, many, None, 1)


def test_channels_that_were_asked_for_are_kept():
    many = frames(40) + ISOLATED
    fits = [im.fit(many, spec=FEW, refine=rounds, progress=False) for rounds in (0, 1)]
    sizes = [fit.potential.card.provenance["weights"] for fit in fits]
    few = im.fit(many, spec={"lmax": 1, "cutoff": 3.0}, refine=1, progress=False)
    assert sizes[0] == sizes[1] < few.potential.card.provenance["weights"] <= 40 * 19


def test_directions_of_u_change_forces_alike():
    """S^-2 is the covariance of gradients of h(r) Y_lm over edges, but for what LEAST adds."""
    many = frames(3)
    term = ClusterExpansion(ELEMENTS, **FEW)
    labelled = ByMixing(term, many, [Targets(0.0, np.zeros((6, 3))) for _ in many])
    roots = refinement._roots(term, labelled)
    batch = Batch.from_ase(many)
    env = environments(batch, neighbours(batch, term.cutoff))
    vectors = env.vectors.requires_grad_(True)
    radial, angular, species = term._edges(vectors, env.neighbour_numbers)
    for l in range(term.lmax + 1):
        for s in range(3):
            here, gradients = species == s, []
            for n in range(term.functions):
                for lm in range(l * l, (l + 1) ** 2):
                    total = (radial[:, n] * angular[:, lm]).sum()
                    (slope,) = torch.autograd.grad(total, vectors, retain_graph=True)
                    gradients.append(slope[here].flatten())
            each = torch.stack(gradients).unflatten(0, (term.functions, -1)).flatten(1)
            covariance = (each @ each.T).numpy()
            place = slice(s * term.functions, (s + 1) * term.functions)
            square = np.linalg.inv(roots[l][place, place] @ roots[l][place, place])
            square -= refinement.LEAST * np.eye(len(square))
            ratio = np.trace(covariance) / np.trace(square)
            assert square * ratio == pytest.approx(covariance, abs=1e-5 * np.trace(covariance))
