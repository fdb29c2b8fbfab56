"""The explorer in real JupyterLab in a real browser."""

from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest
from PIL import Image
from servers import open_in_lab, page, run_cells, server, state, until, wait_for


def pixels(made, selector: str = ".im-view") -> np.ndarray:
    shot = made.locator(selector).first.screenshot()
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=int)


def changed(one: np.ndarray, other: np.ndarray) -> int:
    """Pixels that differ clearly."""
    return int((np.abs(one - other).max(-1) > 40).sum())


def yellow(picture: np.ndarray) -> int:
    """Pixels in the colour of a highlighted interaction, brightly or dimly lit."""
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    return int(((red > 150) & (green > 0.65 * red) & (green < 0.95 * red) & (blue < 90)).sum())


@pytest.fixture(scope="module")
def lab(notebooks):
    with server(notebooks, "lab") as address, page() as made:
        open_in_lab(made, address, "explorer.ipynb")
        yield made


@pytest.fixture(autouse=True)
def at_rest(lab):
    lab.mouse.move(5, 5)
    lab.locator(".im-view").focus()
    lab.keyboard.press("Home")
    lab.wait_for_function("document.querySelector('.interpmd-explorer').dataset.answered === '0'")


def test_nglview_draws_and_nothing_is_missing(lab):
    assert state(lab)["viewer"] == "NglViewer"
    assert not lab.is_visible(".im-trouble")
    assert np.ptp(pixels(lab), axis=(0, 1)).min() > 100
    wrong = [w for w in lab.words if "not registered" in w or "page error" in w]
    assert not wrong


def test_pixels_change_with_the_frame(lab):
    first = pixels(lab)
    lab.locator(".im-frame").focus()
    for _ in range(5):
        lab.keyboard.press("ArrowRight")
    wait_for(lab, "answered", "5")
    assert state(lab)["frame"] == "5"
    assert until(lab, lambda: changed(first, pixels(lab)) > 300)


def test_a_click_on_an_atom_changes_the_budget(lab):
    before = lab.inner_text(".im-bars")
    lab.select_option("label:has-text('atom') select >> nth=1", "8")
    box = lab.locator(".im-names span", has_text="O0").bounding_box()
    lab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_for(lab, "title", "Force on O0")
    assert lab.inner_text(".im-bars") != before
    lab.locator(".im-view").focus()
    lab.keyboard.press("p")
    wait_for(lab, "title", "Force on H8")


def test_the_force_on_the_fragment_that_was_clicked(lab):
    lab.select_option("label:has-text('explain') select", "fragment")
    wait_for(lab, "title", "Force on O4–H8")
    lab.locator(".im-view").focus()
    lab.keyboard.press("p")
    wait_for(lab, "title", "Force on C3–H7")
    lab.keyboard.press("n")
    lab.select_option("label:has-text('explain') select", "force")
    wait_for(lab, "title", "Force on H8")


def atoms_of_the_first_bar(lab):
    """Names of its first two atoms, whatever the gauge calls the interaction."""
    return re.findall(r"[A-Z][a-z]?\d+", lab.inner_text(".im-bars li .im-label >> nth=0"))[:2]


def test_hovering_a_bar_highlights_its_cylinder_and_the_other_way_round(lab):
    plain = pixels(lab)
    bar = lab.locator(".im-bars li").first
    bar.hover()
    key = bar.get_attribute("data-key")
    wait_for(lab, "hovered", key)
    assert until(lab, lambda: yellow(pixels(lab)) > yellow(plain) + 200)
    assert lab.inner_text(".im-flag").startswith(lab.inner_text(".im-bars li >> nth=0")[:5])
    lab.mouse.move(5, 5)
    wait_for(lab, "hovered", "")
    # a line under the pointer marks its bar: half way between the two atoms of the first bar
    ends = atoms_of_the_first_bar(lab)
    places = [lab.locator(".im-names span", has_text=n).bounding_box() for n in ends]
    x, y = ([(p[k] + p[s] / 2) for p in places] for k, s in (("x", "width"), ("y", "height")))
    lab.mouse.move(sum(x) / 2 - 3, sum(y) / 2)
    lab.mouse.move(sum(x) / 2, sum(y) / 2)
    lab.wait_for_selector(".im-bars li.im-hovered")


def test_the_map_of_frames_is_asked_for_and_follows(lab):
    lab.click(".im-tab[data-tab=map]")
    lab.wait_for_function("document.querySelector('.interpmd-explorer').dataset.coloured === '6'")
    names = lab.locator("select[data-axis=x] option").all_inner_texts()
    assert names[:2] == ["O0–H8", "O4–H8"] and {"energy", "frame"} <= set(names)
    first = pixels(lab, ".im-scatter")
    assert np.ptp(first, axis=(0, 1)).min() > 100
    lab.locator(".im-scatter").focus()
    lab.keyboard.press("ArrowRight")
    wait_for(lab, "answered", "1")
    assert until(lab, lambda: changed(first, pixels(lab, ".im-scatter")) > 50)
    lab.select_option("select[data-axis=y]", "energy")
    assert "energy" in lab.inner_text(".im-frames .im-how")
    if lab.is_visible(".im-frames .im-all"):
        lab.click(".im-frames .im-all")
    lab.click(".im-tab[data-tab=time]")


def test_a_cell_of_the_heat_map_lights_up_its_bars(lab):
    marked = lab.locator(".im-bars li.im-hovered")
    assert marked.count() == 0
    ends = atoms_of_the_first_bar(lab)
    column, row = sorted(int("".join(filter(str.isdigit, name))) for name in ends)
    lab.click(".im-tab[data-tab=pairs]")
    lab.locator(".im-map").focus()
    lab.keyboard.press("ArrowDown")  # enters at the first cell
    for _ in range(row):
        lab.keyboard.press("ArrowDown")
    for _ in range(column):
        lab.keyboard.press("ArrowRight")
    lab.wait_for_selector(".im-bars li.im-hovered >> nth=0")
    assert all(name in lab.inner_text(".im-cell") for name in ends)
    lab.keyboard.press("Escape")
    lab.wait_for_function("!document.querySelector('.im-bars li.im-hovered')")


HEAP = "HeapProfiler.collectGarbage"


def test_memory_stays_flat_over_many_frames(lab):
    session = lab.context.new_cdp_session(lab)

    def used():
        session.send(HEAP)
        return session.send("Runtime.getHeapUsage")["usedSize"]

    def step(times):
        lab.locator(".im-frame").focus()
        for _ in range(times // 10):
            for key in ["ArrowRight"] * 5 + ["ArrowLeft"] * 5:
                lab.keyboard.press(key)
        wait_for(lab, "answered", "0")
        lab.wait_for_timeout(500)

    step(200)  # what is made once
    before = used()
    step(800)
    assert until(lab, lambda: used() - before < 3e6)


def test_bars_add_up_in_the_text(lab):
    values = [
        float(v.split("±")[0].replace("−", "-"))
        for v in lab.locator(".im-bars .im-value").all_inner_texts()
    ]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=0.01)


def test_everything_works_by_keyboard(lab):
    lab.locator(".im-bars").focus()
    lab.keyboard.press("ArrowDown")
    lab.keyboard.press("ArrowDown")
    second = lab.locator(".im-bars li").nth(1)
    wait_for(lab, "hovered", second.get_attribute("data-key"))
    assert second.get_attribute("aria-selected") == "true"
    lab.keyboard.press("Enter")
    assert "im-pinned" in second.get_attribute("class")
    lab.keyboard.press("Enter")
    lab.keyboard.press("Escape")
    wait_for(lab, "hovered", "")
    lab.locator(".im-tab[aria-selected=true]").focus()
    for _ in range(5):
        if state(lab)["tab"] == "rows":
            break
        lab.keyboard.press("ArrowRight")
    lab.wait_for_selector(".im-table tbody tr:nth-child(6)")
    lab.click(".im-tab[data-tab=time]")
    # nglview has buttons of its own, inside what counts as one picture
    unnamed = lab.evaluate(
        """[...document.querySelectorAll('.interpmd-explorer :is(select, button, input)')]
        .filter(node => !node.closest('.im-stage') && !(node.getAttribute('aria-label')
        || node.textContent.trim() || (node.labels || []).length)).length"""
    )
    assert unnamed == 0


def test_two_frames_two_gauges_and_two_models_side_by_side(lab):
    """Aligned rows whose sides add up to their sums, and differences to the difference."""

    def rows():
        """All at the same moment: error bars that come make new rows."""
        return lab.locator(".im-side-row").evaluate_all(
            "rows => rows.map(r => [...r.querySelectorAll('.im-value')].map(c => c.innerText))"
        )

    def number(text):
        return 0.0 if text == "no such row" else float(text.split("±")[0].replace("−", "-"))

    lab.click(".im-tab[data-tab=beside]")
    for choice in ("frame 3", "gauge internal", "model GFN2-xTB"):
        lab.select_option(".im-beside-choice", choice)
        lab.wait_for_function(
            "choice => [...document.querySelectorAll('.im-side-head span')]"
            ".some(node => node.innerText.startsWith(choice.replace('model ', '')))",
            arg=choice,
        )
        shown = [[number(text) for text in line] for line in rows()]
        sums = np.array(shown).round(3)
        assert sums[:-1].sum(0) == pytest.approx(sums[-1], abs=0.006)
        assert sums[:, 0] - sums[:, 1] == pytest.approx(sums[:, 2], abs=0.0011)
        assert not overlapping(lab, ".im-beside")
    lab.select_option(".im-beside-choice", "")
    lab.click(".im-tab[data-tab=time]")


def overlapping(made, inside: str) -> list[str]:
    """Words within an element that lie on each other, or leave it, once it has come to rest."""
    found: list[str] = []

    def none() -> bool:
        found[:] = overlapping_now(made, inside)
        return not found

    until(made, none, 10)
    return found


def overlapping_now(made, inside: str) -> list[str]:
    return made.evaluate(
        """inside => {
        const host = document.querySelector(inside), room = host.getBoundingClientRect();
        const boxes = [];
        const walk = document.createTreeWalker(host, NodeFilter.SHOW_TEXT);
        for (let node = walk.nextNode(); node; node = walk.nextNode()) {
            if (!node.textContent.trim() || node.parentElement.closest('select')) continue;
            if (!node.parentElement.checkVisibility()) continue;
            const range = document.createRange();
            range.selectNodeContents(node);
            for (const box of range.getClientRects()) boxes.push([box, node.textContent]);
        }
        const on = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
            && a.top < b.bottom - 2 && b.top < a.bottom - 2;
        const found = [];
        boxes.forEach(([a, words], n) => {
            if (a.right > room.right + 1 || a.left < room.left - 1) found.push(`${words} leaves`);
            for (const [b, others] of boxes.slice(n + 1))
                if (on(a, b)) found.push(`${words} on ${others}`);
        });
        return found;
        }""",
        inside,
    )


@pytest.mark.parametrize("width", [800, 1280])
def test_nothing_overlaps_in_any_panel(lab, width):
    lab.set_viewport_size({"width": width, "height": 1300})
    lab.wait_for_timeout(300)
    for tab in ("time", "map", "rows", "beside", "pairs", "checks"):
        lab.click(f".im-tab[data-tab={tab}]")
        assert not overlapping(lab, ".im-budget"), (width, tab)
        assert not overlapping(lab, ".im-lower"), (width, tab)
        photograph_explorer(lab, f"{tab}_{width}")
    lab.click(".im-tab[data-tab=time]")
    lab.set_viewport_size({"width": 1280, "height": 1300})


def photograph_explorer(made, name: str) -> None:
    if folder := os.environ.get("INTERPMD_PICTURES"):
        made.locator(".interpmd-explorer").screenshot(path=f"{folder}/explorer_{name}.png")


def test_all_frames_and_the_film(lab):
    if lab.is_visible(".im-all"):
        lab.click(".im-all")
        lab.wait_for_selector(".im-all", state="hidden")
    drawn = int(state(lab)["drawn"])
    lab.click(".im-play")
    lab.wait_for_function(
        f"Number(document.querySelector('.interpmd-explorer').dataset.drawn) > {drawn + 12}"
    )
    lab.click(".im-play")


#: The explorer that a cell shows, when what was there before it ran is gone.
ANEW = ".interpmd-explorer[data-ready][data-answered]:not([data-before])"


def run_anew(lab):
    """Run the cell again, and wait for the explorer that it makes."""
    lab.evaluate(
        "document.querySelectorAll('.interpmd-explorer').forEach(n => n.dataset.before = 1)"
    )
    run_cells(lab, ready=ANEW)
    lab.wait_for_function("document.querySelectorAll('.interpmd-explorer').length === 1")


def test_running_the_cell_again_shows_it_again(lab):
    run_anew(lab)
    assert state(lab)["viewer"] == "NglViewer"


def test_reloading_the_page_and_running_again_re_attaches(lab):
    lab.keyboard.press("Control+s")
    lab.reload()
    lab.wait_for_selector(".jp-NotebookPanel .jp-CodeCell .cm-content")
    lab.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
    run_anew(lab)
    assert state(lab)["viewer"] == "NglViewer"
    lab.locator(".im-frame").focus()
    lab.keyboard.press("ArrowRight")
    wait_for(lab, "answered", "1")


def test_error_bars_of_a_force_follow(lab):
    """The budget comes at once; how well each bar is known comes when nobody asks anything."""
    known = "document.querySelector('.im-bars li.im-sum .im-value').innerText.includes('±')"
    lab.locator(".im-frame").focus()
    for _ in range(2):  # in the middle of the film, whose other frames are asked for ahead
        lab.keyboard.press("ArrowRight")
    wait_for(lab, "answered", "2")
    lab.wait_for_function(known)
    values = lab.locator(".im-bars .im-value").all_inner_texts()
    single, total = (float(text.split("±")[1]) for text in (values[0], values[-1]))
    assert 0 < total < single
    before = state(lab)["title"]
    lab.locator(".im-view").focus()
    lab.keyboard.press("n")
    lab.wait_for_function(
        "old => document.querySelector('.interpmd-explorer').dataset.title !== old", arg=before
    )
    lab.wait_for_function(known)
    lab.keyboard.press("p")
    wait_for(lab, "title", before)


def test_a_gauge_can_be_chosen_and_only_what_suits_it_is_offered(lab):
    def field(name):
        return lab.locator(".im-controls label").filter(has_text=name).locator("select")

    def offered(name):
        options = field(name).locator("option:not([disabled])")
        return options.evaluate_all("all => all.map(o => o.value)")

    assert "tensions" not in offered("method") and "shapley" in offered("method")
    field("gauge").select_option("internal")
    lab.wait_for_function(
        "document.querySelector('.im-summary').textContent.includes('Gauge internal')"
    )
    assert offered("method") == ["", "tensions"] and "order" not in offered("group by")
    assert not field("up to").is_visible()
    assert "does not move" in field("gauge").locator("..").get_attribute("title")
    lab.wait_for_function("document.querySelector('.im-answer').textContent.includes('H8')")
    field("difference from").select_option("2")
    lab.wait_for_function(
        "document.querySelector('.im-headline').textContent.includes('less frame 2')"
    )
    field("difference from").select_option("")
    field("gauge").select_option("atoms")
    lab.wait_for_function(
        "document.querySelector('.im-summary').textContent.includes('Gauge atoms')"
    )
    others = lab.locator(".im-more")
    count = lab.locator(".im-bars li").count()
    others.click()
    assert lab.locator(".im-bars li").count() > count and others.inner_text() == "fewer"
    others.click()
