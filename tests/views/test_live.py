"""Dynamics in the event loop: it starts, pauses, goes on, stops, and follows the thermostat."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.views.live import stage
from interpmd.views.live.stage import POINTS


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


def live(potential, **options):
    return im.LiveMD(potential, MALONALDEHYDE, interval=4, atom=8, order=2, **options)


async def until(panel, count):
    while len(panel.frames) < count:
        await asyncio.sleep(0.01)


def test_buttons_work_while_it_runs(potential):
    async def use():
        panel = live(potential)
        assert len(panel.frames) == 1 and not panel.running
        panel.start_button.click()
        await until(panel, 4)
        panel.pause_button.click()
        standing = len(panel.frames)
        await asyncio.sleep(0.3)
        assert len(panel.frames) == standing and not panel.running
        panel.start_button.click()
        await until(panel, standing + 2)
        panel.stop_button.click()
        recorded = panel.frames[-1].positions.copy()
        await asyncio.sleep(0.05)
        assert np.array_equal(panel.frames[-1].positions, recorded)
        panel.start_button.click()
        await until(panel, 2)
        assert len(panel.frames) < standing  # begun anew
        panel.stop()
        return panel

    panel = asyncio.run(use())
    assert panel.times[:2] == [0.0, 2.0]
    assert len(panel.trajectory) == len(panel.frames)
    assert panel.trajectory[-1].get_potential_energy() == pytest.approx(panel.energies[-1])
    expected = float(potential.predict(panel.frames[-1]).energy[0])
    assert panel.energies[-1] == pytest.approx(expected, abs=1e-6)


def test_the_slider_sets_the_temperature(potential):
    async def run(temperature):
        panel = live(potential, friction=0.2)
        panel.temperature.value = temperature
        panel.start()
        await until(panel, 12)
        panel.stop()
        return np.mean(panel.temperatures[6:])

    assert asyncio.run(run(1500)) > 2 * asyncio.run(run(50))


def test_another_atom_is_explained(potential):
    panel = live(potential)
    before = panel.stage.state
    panel.atom.value = 0
    assert panel.stage.state["force"] == panel.frames[-1].get_forces()[0].tolist()
    assert panel.stage.state["rows"] != before["rows"]
    along = np.linalg.norm(panel.explanation.total)
    assert along == pytest.approx(np.linalg.norm(panel.stage.state["force"]), abs=1e-6)
    assert "image/png" in panel._repr_mimebundle_()[0]


def test_without_an_event_loop_it_says_so(potential):
    with pytest.raises(RuntimeError, match="no running event loop"):
        live(potential).start()


def test_dynamics_that_breaks_says_so_and_can_begin_anew(potential):
    async def use():
        panel = live(potential)
        panel._atoms.set_momenta(60 * panel._atoms.get_momenta())
        panel.start()
        while panel.running:
            await asyncio.sleep(0.01)
        assert "stopped" in panel._words.value
        panel.start()
        await until(panel, 2)
        panel.stop()
        assert len(panel.frames) < 8 and "stopped" not in panel._words.value

    asyncio.run(use())


def test_former_keywords_warn(potential):
    with pytest.warns(FutureWarning, match="interval=..."):
        panel = im.LiveMD(potential, MALONALDEHYDE, steps=7, order=2)
    assert panel.interval == 7


def test_it_says_when_the_data_end(potential):
    panel = live(potential)
    assert "inside the training data" in panel._words.value
    torn = MALONALDEHYDE.copy()
    torn.set_distance(2, 6, 2.4, fix=0)
    assert "beyond the training data" in im.LiveMD(potential, torn)._words.value


def test_the_gauge_is_that_of_the_molecule_and_atoms_have_names(potential):
    panel = im.LiveMD(potential, MALONALDEHYDE, atom="H8")
    assert panel.explanation.gauge == "internal" and panel.atom.value == 8
    rows = panel.stage.state["rows"]
    assert rows[0]["name"].startswith("angle") and rows[0]["atoms"] == [3, 4, 8]
    assert sum(row["value"] for row in rows) == pytest.approx(0.373, abs=0.01)  # of 0.373 eV/Å
    with pytest.raises(im.TargetError, match="no H4"):
        im.LiveMD(potential, MALONALDEHYDE, atom="H4")


def test_it_keeps_up_and_drops_frames_that_no_browser_has_time_for(potential, monkeypatch):
    """A browser that answers gets its pictures; one that does not delays nothing."""

    async def run(answers):
        panel = live(potential)
        sent = []
        panel.stage.observe(lambda change: sent.append(change.new["number"]), "state")
        panel.start()
        while len(panel.frames) < 25:
            await asyncio.sleep(0.005)
            if answers and sent:
                panel.stage._heard(None, {"seen": sent[-1]}, [])
        panel.stop()
        return len(sent) - 1  # the last one is that of the stop

    monkeypatch.setattr(stage, "PATIENCE", 1e6)
    assert asyncio.run(run(answers=True)) > 12
    assert asyncio.run(run(answers=False)) == 1  # beside that of the beginning
    monkeypatch.setattr(stage, "PATIENCE", -1.0)  # whoever does not answer is given up
    assert asyncio.run(run(answers=False)) > 12


def test_the_curves_are_thinned_out(potential):
    panel = live(potential)
    history = np.arange(3 * 5000, dtype=float).reshape(3, -1)
    panel.stage.show(panel.stage.state, MALONALDEHYDE.positions, history)
    shown = np.frombuffer(panel.stage.history, "<f4").reshape(3, -1)
    assert shown.shape == (3, POINTS)
    assert shown[0, 0] == 0 and shown[0, -1] == 4999 and shown[2, -1] == 14999
    places = np.frombuffer(panel.stage.positions, "<f4").reshape(-1, 3)
    assert np.allclose(places, MALONALDEHYDE.positions, atol=1e-6)
