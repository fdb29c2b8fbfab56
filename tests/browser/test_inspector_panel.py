"""The inspector of a potential in real JupyterLab, by keyboard alone."""

from __future__ import annotations

from pictures import (
    PICTURES,
    check_console,
    choose_last,
    move,
    photograph,
    picture,
    slider,
    wait_for_another,
)
from servers import open_in_lab, page, server, write_notebook

CODE = """
import interpmd as im
inspector = im.PotentialInspector(im.load("water"))
inspector
"""
CURVE, MAP = 0, 1


def wait_for_other_words(made, which, before):
    """Another picture, which says something else."""
    after = wait_for_another(made, which, before)
    assert after["words"] != before["words"]
    return after


def test_keys_move_sliders_and_pictures_follow(tmp_path):
    write_notebook(tmp_path / "inspector.ipynb", CODE)
    with server(tmp_path, "lab") as address, page() as made:
        open_in_lab(made, address, "inspector.ipynb", ready=f"{PICTURES} >> nth={MAP}")
        photograph(made, "inspector")
        curve, before = picture(made, CURVE), picture(made, MAP)
        handle = slider(made, "angle (°)")
        angle = float(handle.get_attribute("aria-valuenow"))
        assert move(made, handle, "ArrowRight") > angle
        after = wait_for_other_words(made, MAP, before)
        assert picture(made, CURVE) == curve, "the angle has no part in pairs"

        # the other map has a slider of its own
        choose_last(made, "distance and angle")
        slider(made, "distance (Å)").wait_for()
        slider(made, "angle (°)").wait_for(state="hidden")
        wait_for_other_words(made, MAP, after)

        choose_last(made, "O-O")
        assert "O-O" in wait_for_other_words(made, CURVE, curve)["words"]
        check_console(made)
