"""The geometry lab, the live dynamics and the monitor of a fit in real JupyterLab."""

from __future__ import annotations

import re
import time

import pytest
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
from servers import ROOT, open_in_lab, page, server, until, write_notebook

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

#: Writes down what the first cell shows while a fit runs, however fast it is.
WATCH = f"""() => {{
    const host = document.querySelector(".jp-OutputArea");
    const seen = window.seen = {{ pictures: [], words: [], rows: [] }};
    const add = (list, item) => {{ if (item && list.at(-1) !== item) list.push(item); }};
    new MutationObserver(() => {{
        add(seen.pictures, document.querySelectorAll("{PICTURES}")[2]?.src);
        add(seen.words, host.textContent);
        add(seen.rows, host.querySelectorAll("tbody tr").length);
    }}).observe(host, {{ childList: true, subtree: true, characterData: true, attributes: true }});
}}"""


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
        # there and back again: the structure that was given lies on the slider's grid
        table = "document.querySelector('.widget-html table')?.innerText"
        first = made.locator(".widget-html table").first.inner_text()
        move(made, handle, "ArrowRight")
        made.wait_for_function(f"first => {table} && {table} !== first", arg=first)
        move(made, handle, "ArrowLeft")
        made.wait_for_function(f"first => {table} === first", arg=first)
        assert {line.split()[-2] for line in first.splitlines()[1:]} <= {"0.000", "−0.000"}
        for _ in range(5):
            move(made, handle, "ArrowRight")
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
        made.wait_for_selector(".jp-OutputArea .widget-html:has-text(' frames')")
        return int(re.search(r"(\d+) frames", made.inner_text(".jp-OutputArea"))[1])

    def drawn() -> int:
        return int(made.get_attribute(".interpmd-live", "data-drawn"))

    def drawing() -> str:
        """The pixels of the molecule."""
        return made.evaluate("document.querySelector('.interpmd-live canvas').toDataURL()")

    def wait_until_it_stands() -> int:
        """How many frames there are when no more come; the last one may be on its way for long."""
        before = frames()
        for _ in range(40):
            made.wait_for_timeout(1500)
            if (now := frames()) == before:
                return now
            before = now
        raise AssertionError(f"the dynamics goes on: {before} frames")

    #: JavaScript: the number of frames, NaN while there are no words.
    told = "+document.querySelector('.jp-OutputArea')?.innerText.match(/(\\d+) frames/)?.[1]"

    def wait_for_more(than: int) -> None:
        made.wait_for_function(f"than => {told} > than", arg=than)

    def rate() -> float:
        """Pictures in a second, for some seconds."""
        began, started = time.monotonic(), drawn()
        made.wait_for_timeout(4000)
        return (drawn() - started) / (time.monotonic() - began)

    with page() as made:
        open_in_lab(made, address, "live.ipynb", ready=".interpmd-live[data-drawn]")
        before = drawing()
        assert frames() == 1
        made.click("button:has-text('start')")
        wait_for_more(3)
        made.wait_for_function("document.querySelector('.interpmd-live').dataset.drawn > 9")
        assert drawing() != before
        # as many pictures as the browser has time for; without its answers it would be one a second
        assert until(made, lambda: rate() > 2, 60), "few pictures"
        assert move(made, slider(made, "temperature (K)"), "PageUp") > 300
        wait_for_more(frames() + 3)
        made.click("button:has-text('pause')")
        standing = wait_until_it_stands()
        photograph(made, "live")
        made.click("button:has-text('start')")
        wait_for_more(standing + 1)
        made.click("button:has-text('stop')")
        standing = wait_until_it_stands()
        made.click("button:has-text('start')")  # begins anew
        made.wait_for_function(f"than => {told} < than", arg=standing)
        made.click("button:has-text('stop')")
        check_console(made)


def test_a_fit_is_watched(address):
    with page() as made:
        open_in_lab(made, address, "monitor.ipynb", ready=".widget-html:has-text('waiting')")
        made.evaluate(WATCH)
        made.locator(".jp-CodeCell .cm-content").nth(1).click()
        made.keyboard.press("Shift+Enter")
        made.wait_for_selector(".widget-html:has-text('test set')")
        made.wait_for_function("seen.pictures.length > 1")
        seen = made.evaluate("seen")
        assert any("learning" in words for words in seen["words"])
        assert len(set(seen["pictures"])) > 1
        assert max(seen["rows"]) > min(seen["rows"]) > 0
        made.wait_for_function(
            "selector => document.querySelectorAll(selector)[2].naturalWidth > 100", arg=PICTURES
        )
        photograph(made, "monitor")
        check_console(made)
