"""Names of periodic images."""

from __future__ import annotations

from interpmd.structures.images import image_sign, seen_from


def test_the_home_cell_has_no_name():
    assert image_sign((0, 0, 0)) == ""
    assert image_sign((1, 0, -2)) == " (+1,0,−2)"


def test_a_label_is_told_from_its_atom():
    label = "contact O12···O15 (0,0,−1)"
    assert seen_from(label, {"O12"}) == label
    assert seen_from(label, {"O15", "H2O(15)"}) == "contact O12 (0,0,+1)···O15"
    assert seen_from("Si1–Si0 (+1,0,0)–Si1 (+1,0,0) angle", {"Si0"}) == (
        "Si1 (−1,0,0)–Si0–Si1 angle"
    )
    assert seen_from("tilt of H2O(12) (−1,0,0) towards H2O(0)", {"O12", "H2O(12)"}) == (
        "tilt of H2O(12) towards H2O(0) (+1,0,0)"
    )


def test_labels_without_images_stay():
    for label in ("torsion about C1–N2", "rest at O0 (expansion)", "sets of more than 3 molecules"):
        assert seen_from(label, {"O0", "C1"}) == label
