"""The monitor shows what the fit knows, and does not change what comes out."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from interpmd.potentials import Potential, StillingerWeber

SMALL = {"channels": (12, 12, 8), "lmax": 2, "basis": 6, "cutoff": 3.5, "functions": 12}
TRUTH = Potential([StillingerWeber(epsilon=0.4, sigma=1.6, lam=5.0)])


def frames(count, seed=0):
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        atoms = molecule("CH3OH")
        atoms.positions += rng.normal(scale=0.12, size=(6, 3))
        made.append(atoms)
    made += [Atoms(s) for s in "HCO"]
    for atoms in made:
        found = TRUTH.predict(atoms)
        atoms.calc = SinglePointCalculator(
            atoms, energy=float(found.energy), forces=found.forces.numpy()
        )
    return made


def fit(count=80, **options):
    return im.fit(frames(count), test=frames(20, 1), spec=SMALL, progress=False, **options)


@pytest.fixture(scope="module")
def watched():
    steps, monitor = [], im.FitMonitor()

    def watch(now):
        steps.append(now)
        monitor(now)

    return fit(watch=watch), steps, monitor


def test_a_watched_fit_ends_at_the_same_potential(watched):
    report, _, _ = watched
    atoms = frames(1, 7)[0]
    assert float(report.potential.predict(atoms).energy[0]) == pytest.approx(
        float(fit().potential.predict(atoms).energy[0]), abs=1e-5
    )


def test_every_step_is_told_in_order(watched):
    _, steps, _ = watched
    stages = list(dict.fromkeys(s.stage for s in steps))
    assert stages == ["frames", "ridge", "test"]
    learned = [s.done for s in steps if s.stage == "frames"]
    # of eighty frames three quarters, for few judge in turns
    assert learned == sorted(learned) and learned[-1] == 60 == steps[0].total


def test_errors_on_held_out_frames_are_those_of_the_potential_of_that_moment(watched):
    report, steps, _ = watched
    best = report.scan.attrs["ridge"]
    chosen = next(s for s in steps if s.stage == "ridge" and s.value == best)
    expected = report.scan.set_index("ridge").validation_error[best]
    assert chosen.error == pytest.approx(expected)
    # weighted squares of energies and forces, the energies' weight 40 by the root of six atoms;
    # every frame is judged, by a fit to the others, and the error is the mean of theirs
    judged = chosen.evaluation
    wrong = (judged.energy[:, 1] - judged.energy[:, 0]) * 40 / 6**0.5
    off = (judged.forces[..., 1] - judged.forces[..., 0]).reshape(80, 18)
    of_frame = np.sqrt(np.mean(np.c_[wrong, off] ** 2, axis=1))
    assert of_frame.mean() == pytest.approx(expected, rel=1e-4)
    assert len(judged.n_atoms) == 80


def test_more_frames_smaller_errors_and_the_table_says_so(watched):
    report, _, monitor = watched
    table = monitor.to_frame()
    errors = table[table.stage == "frames"]["force_rmse_meV/A"].to_numpy()
    assert errors[-1] < 0.3 * errors[0]
    last = table.iloc[-1]
    assert last.stage == "test"
    expected = report.errors().loc["test"]
    assert last["force_rmse_meV/A"] == pytest.approx(expected["force_rmse_meV/A"])
    assert f"{expected['force_rmse_meV/A']:.2f}" in monitor._table.value
    assert "done" in monitor._words.value
    assert monitor._bar.value == monitor._bar.max == 1
    left = monitor.plot()[0]
    assert plt.fignum_exists(left.figure.number), "notebooks show it"
    plt.close(left.figure)
    assert left.lines[1].get_ydata()[-1] == pytest.approx(
        table[table.stage == "ridge"]["force_rmse_meV/A"].iloc[-1]
    )
    assert "image/png" in monitor._repr_mimebundle_()[0]


def test_another_fit_begins_anew_and_trials_are_told():
    monitor = im.FitMonitor()
    assert "image/png" not in monitor._repr_mimebundle_()[0] and "no fit yet" in repr(monitor)
    stages = []

    def watch(now):
        stages.append(now.stage)
        monitor(now)

    small = {**SMALL, "basis": None, "channels": (6, 6, 4)}
    made = frames(24)
    im.fit(made, spec=small, progress=False, refine=1, watch=watch)
    assert stages.count("smoothness") == 3 and stages.count("refinement") == 1
    count = len(monitor.milestones)
    im.fit(made, spec=SMALL, progress=False, watch=watch)
    assert 0 < len(monitor.milestones) < 2 * count
    assert monitor.milestones[0].frames < 5


def test_with_nothing_held_out_there_is_nothing_to_show():
    monitor = im.FitMonitor()
    im.fit(frames(12), spec=SMALL, validation=0.0, progress=False, watch=monitor)
    assert not monitor.milestones
    assert "no fit yet" in repr(monitor)
    with pytest.raises(im.InterpmdError, match="holds frames out"):
        monitor.plot()


def test_a_test_set_alone_is_shown():
    monitor, made = im.FitMonitor(), frames(12)
    im.fit(made, test=made[:4], spec=SMALL, validation=0.0, progress=False, watch=monitor)
    assert [m.stage for m in monitor.milestones] == ["test"]
    curves, *parity = monitor.plot()
    assert [text.get_text() for text in curves.texts] == ["no frames were held out"]
    assert all("test set" in ax.get_title() for ax in parity)
    assert "image/png" in monitor._repr_mimebundle_()[0]
