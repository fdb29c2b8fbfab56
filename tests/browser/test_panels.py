"""The geometry lab, the live dynamics and the monitor of a fit in real JupyterLab."""

from __future__ import annotations

import re
import time

import pytest
from pictures import (
    PICTURES,
    check_console,
    choose_last,
    photograph,
    picture,
    slider,
    wait_for_another,
)
from servers import ROOT, open_in_lab, page, server, write_notebook

LAB = """
import interpmd as im
from interpmd.demo import MALONALDEHYDE
im.GeometryLab(im.load("malonaldehyde"), MALONALDEHYDE, (4, 8))
"""
LIVE = """
import interpmd as im
from interpmd.demo import MALONALDEHYDE
live = im.LiveMD(im.load("malonaldehyde"), MALONALDEHYDE, atom=8)
live
"""
MONITOR = """
import interpmd as im
monitor = im.FitMonitor()
monitor
"""
FIT = f"""
report = im.fit({str(ROOT / "data/malonaldehyde/train.extxyz.gz")!r},
                test={str(ROOT / "data/malonaldehyde/test.extxyz.gz")!r},
                spec={{"channels": (32, 32, 24), "lmax": (0, 3, 3), "basis": 6}}, watch=monitor)
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels")
    write_notebook(folder / "lab.ipynb", LAB)
    write_notebook(folder / "live.ipynb", LIVE)
    write_notebook(folder / "monitor.ipynb", MONITOR, FIT)
    with server(folder, "lab") as found:
        yield found


def test_a_bond_is_stretched_by_keyboard_and_a_vibration_dragged(address):
    with page() as made:
        open_in_lab(made, address, "lab.ipynb", ready=f"{PICTURES} >> nth=2")
        molecule, scan, split = (picture(made, which) for which in range(3))
        handle = slider(made, "distance (Å)")
        length = float(handle.get_attribute("aria-valuetext"))  # valuenow has one digit only
        handle.focus()
        # there and back again: the structure that was given lies on the slider's grid
        table = "document.querySelector('.widget-html table').innerText"
        first = made.evaluate(table)
        made.keyboard.press("ArrowRight")
        made.wait_for_function(f"first => {table} !== first", arg=first)
        made.keyboard.press("ArrowLeft")
        made.wait_for_function(f"first => {table} === first", arg=first)
        assert {line.split()[-2] for line in first.splitlines()[1:]} <= {"0.000", "−0.000"}
        for _ in range(5):
            made.keyboard.press("ArrowRight")
        now = float(handle.get_attribute("aria-valuetext"))
        assert now == pytest.approx(length + 0.05)
        made.wait_for_selector(f".widget-html:has-text('O4–H8 = {now:.2f} Å')")
        molecule = wait_for_another(made, 0, molecule)
        wait_for_another(made, 1, scan)
        wait_for_another(made, 2, split)
        photograph(made, "geometry_lab")
        assert "2-body" in made.inner_text(".widget-html table")

        choose_last(made, "O4–H8")
        slider(made, "displacement (Å)").wait_for()
        wait_for_another(made, 0, molecule)
        made.wait_for_selector(".widget-html b:has-text('cm⁻¹'):has-text(' = 0.00 Å')")
        check_console(made)


def test_dynamics_starts_follows_the_thermostat_pauses_and_stops(address):
    def frames() -> int:
        return int(re.search(r"(\d+) frames", made.inner_text(".jp-OutputArea"))[1])

    def drawn() -> int:
        return int(made.get_attribute(".interpmd-live", "data-drawn"))

    def drawing() -> str:
        """The pixels of the molecule."""
        return made.evaluate("document.querySelector('.interpmd-live canvas').toDataURL()")

    def wait_until_it_stands() -> int:
        """How many frames there are when no more come; the last one may be on its way for long."""
        before = frames()
        for _ in range(15):
            made.wait_for_timeout(1500)
            if (now := frames()) == before:
                return now
            before = now
        raise AssertionError(f"the dynamics goes on: {before} frames")

    def wait_for_more(than: int) -> None:
        made.wait_for_function(
            "than => +document.querySelector('.jp-OutputArea').innerText.match(/(\\d+) frames/)[1]"
            " > than",
            arg=than,
        )

    with page() as made:
        open_in_lab(made, address, "live.ipynb", ready=".interpmd-live[data-drawn]")
        before = drawing()
        assert frames() == 1
        made.click("button:has-text('start')")
        wait_for_more(3)
        made.wait_for_function("document.querySelector('.interpmd-live').dataset.drawn > 9")
        assert drawing() != before
        # as many pictures as the browser has time for, on a busy machine too
        began, started = time.monotonic(), drawn()
        made.wait_for_timeout(6000)
        rate = (drawn() - started) / (time.monotonic() - began)
        print(f"{rate:.1f} pictures a second")
        assert rate > 2
        handle = slider(made, "temperature (K)")
        handle.focus()
        made.keyboard.press("PageUp")
        assert float(handle.get_attribute("aria-valuenow")) > 300
        wait_for_more(frames() + 3)
        made.click("button:has-text('pause')")
        standing = wait_until_it_stands()
        photograph(made, "live")
        made.click("button:has-text('start')")
        wait_for_more(standing + 1)
        made.click("button:has-text('stop')")
        standing = wait_until_it_stands()
        made.click("button:has-text('start')")  # begins anew
        made.wait_for_function(
            "than => +document.querySelector('.jp-OutputArea').innerText.match(/(\\d+) frames/)[1]"
            " < than",
            arg=standing,
        )
        made.click("button:has-text('stop')")
        check_console(made)


def test_a_fit_is_watched(address):
    with page() as made:
        open_in_lab(made, address, "monitor.ipynb", ready=".widget-html:has-text('waiting')")
        made.locator(".jp-CodeCell .cm-content").nth(1).click()
        made.keyboard.press("Shift+Enter")
        made.wait_for_selector(f"{PICTURES} >> nth=2")
        first = picture(made, 2)
        assert "learning" in made.inner_text(".jp-OutputArea >> nth=0")
        rows = made.locator(".jp-OutputArea >> nth=0").locator("tbody tr").count()
        made.wait_for_selector(".widget-html:has-text('test set')")
        wait_for_another(made, 2, first)
        assert made.locator(".jp-OutputArea >> nth=0").locator("tbody tr").count() > rows
        photograph(made, "monitor")
        check_console(made)
