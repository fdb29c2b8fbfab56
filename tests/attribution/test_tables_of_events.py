"""The small tables of events in data/ hold what the notebook and the documentation say of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

DATA = Path(__file__).parents[2] / "data"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the data lie in a clone only")


def table(place: str) -> dict:
    return json.loads((DATA / place).read_text())


def test_dft_has_the_same_gate_in_every_seed():
    seeds = table("malonaldehyde/events.json")["seeds"]
    assert [one["seed"] for one in seeds] == list(range(5))
    for one in seeds:
        assert "O0···O4" in one["motion"] and one["labels"] >= 4
        assert one["place_by_model"] <= 2 and one["place_by_reference"] <= 2
        value, error = one["reference_eV"]
        assert value > 5 * error and value > one["next_by_reference_eV"]
        assert one["correlation"] > 0.99


def test_quantum_nuclei_lower_the_barrier():
    found = table("malonaldehyde/quantum.json")
    middle = int(np.abs(found["places"]).argmin())
    heights = {
        int(beads): (curve["energy_eV"][middle], curve["std_eV"][middle])
        for beads, curve in found["beads"].items()
    }
    gap = heights[1][0] - heights[16][0]
    assert gap > 5 * np.hypot(heights[1][1], heights[16][1])
    assert abs(heights[8][0] - heights[16][0]) < 3 * np.hypot(heights[8][1], heights[16][1])


def test_alanine_dipeptide_pays_for_its_ring_and_its_torsion():
    found = table("alanine_dipeptide/events.json")
    share, error = found["committors"]["all"]
    assert abs(share - 0.5) < 3 * error < 0.15
    ranked = sorted(found["groups"].items(), key=lambda row: -row[1][0])
    assert ranked[0][0] == "C=O(1) · NH(3) · CH · C=O(6) · NH(8)"
    value, bar = ranked[0][1]
    assert value > 5 * bar and value > 3 * ranked[1][1][0]
    surest = max(found["rises"].items(), key=lambda row: abs(row[1][0]) / row[1][1])
    assert surest[0] == "torsion about C4–C6" and surest[1][0] > 4 * surest[1][1]
    # no motion gives half of the rise
    assert all(value < found["rise_eV"][0] / 2 for value, _ in found["gates"].values())
