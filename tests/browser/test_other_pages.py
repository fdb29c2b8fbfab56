"""The explorer outside JupyterLab: Notebook 7, Voila, a file opened from disk."""

from __future__ import annotations

import os
import shutil

import pytest
from conftest import CODE
from servers import READY, ROOT, TOKEN, lab, page, run_cells, server, state, until, wait_for
from test_jupyterlab import overlapping


def check(made) -> None:
    """What must work everywhere."""
    assert state(made)["viewer"] == "NglViewer"
    made.locator(".im-frame").focus()
    # wherever it opened
    made.keyboard.press("Home")
    wait_for(made, "answered", "0")
    made.keyboard.press("ArrowRight")
    wait_for(made, "answered", "1")
    made.locator(".im-bars li").first.hover()
    made.wait_for_selector(".im-flag:visible")
    # Notebook 7 has page errors of its own
    assert not [w for w in made.words if "not registered" in w]


def test_notebook_7(notebooks):
    pytest.importorskip("notebook")
    with server(notebooks, "notebook") as address, page() as made:
        made.goto(f"{address}/notebooks/explorer.ipynb?token={TOKEN}")
        made.wait_for_selector(".jp-NotebookPanel .jp-CodeCell .cm-content")
        made.wait_for_selector(
            ".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached"
        )
        run_cells(made)
        check(made)


def test_voila(notebooks):
    pytest.importorskip("voila")
    with server(notebooks, "voila", str(notebooks / "explorer.ipynb")) as address, page() as made:
        made.goto(address)
        made.wait_for_selector(READY)
        check(made)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    names: dict = {}
    exec(CODE.replace("\nexplorer\n", "\n"), names)
    path = tmp_path_factory.mktemp("pages") / "explorer.html"
    return names["explorer"].export_html(path)


def test_a_file_opens_offline_and_its_frames_step(stored):
    with page() as made:
        asked = []
        made.on("request", lambda request: asked.append(request.url))
        made.goto(stored.as_uri())
        made.wait_for_selector(READY)
        assert asked == [stored.as_uri()]
        before = made.inner_text(".im-bars")
        made.locator(".im-frame").focus()
        made.keyboard.press("End")
        wait_for(made, "answered", "5")
        assert made.inner_text(".im-bars") != before
        first = made.locator(".im-bars li").first
        first.hover()
        wait_for(made, "hovered", first.get_attribute("data-key"))
        made.wait_for_selector(".im-flag:visible")
        flag, view = (made.locator(name).bounding_box() for name in (".im-flag", ".im-view"))
        assert view["x"] <= flag["x"] and flag["x"] + flag["width"] <= view["x"] + view["width"]
        made.select_option("label:has-text('group by') select", "kind")
        wait_for(made, "answered", "5")
        assert "hydrogen bond" in made.inner_text(".im-bars")
        made.select_option("label:has-text('group by') select", "interaction")
        for frame in range(6):
            made.keyboard.press("Home")
            made.locator(".im-frame").fill(str(frame))
            wait_for(made, "answered", str(frame))
            values = made.locator(".im-bars .im-value").all_inner_texts()
            assert "±" in values[0] and "±" in values[-1], (frame, values)
        # a click on the others lists what is in them, and what is listed adds up
        made.locator(".im-bars li[data-key='']").click()
        assert not made.locator(".im-bars li[data-key='']").count()
        values = [
            float(v.split("±")[0].replace("−", "-"))
            for v in made.locator(".im-bars .im-value").all_inner_texts()
        ]
        assert len(values) > 12
        assert sum(values[:-1]) == pytest.approx(values[-1], abs=0.0006 * len(values))
        made.locator(".im-more").click()
        assert made.locator(".im-bars li[data-key='']").count() == 1
        assert not [w for w in made.words if "error" in w.lower()]


def test_a_click_on_the_map_of_frames_shows_the_frame_and_its_budget(stored):
    """By mouse, where two coordinates put the point of the frame; coloured by an interaction."""
    from interpmd.demo import MALONALDEHYDE

    frames = []
    for step in range(6):
        frames.append(MALONALDEHYDE.copy())
        frames[-1].positions[8, 0] -= 0.06 * step
        frames[-1].rattle(0.03, seed=step)
    with page() as made:
        made.goto(stored.as_uri())
        made.wait_for_selector(READY)
        made.click(".im-tab[data-tab=map]")
        wait_for(made, "coloured", "6")
        assert made.locator("select[data-axis=colour]").input_value() == "energy"
        for axis in ("x", "y"):
            made.select_option(f"select[data-axis={axis}]", {"x": "O0–H8", "y": "O4–H8"}[axis])
        box = made.locator(".im-scatter").bounding_box()
        values = [[atoms.get_distance(end, 8) for atoms in frames] for end in (0, 4)]
        places = []
        for one, low, high in zip(values, (62, 330 - 42), (box["width"] - 14, 12), strict=True):
            parts = [(v - min(one)) / (max(one) - min(one)) for v in one]
            places.append([low + part * (high - low) for part in parts])
        budgets = set()
        for frame in (4, 1):
            made.mouse.click(box["x"] + places[0][frame], box["y"] + places[1][frame])
            wait_for(made, "answered", str(frame))
            assert state(made)["frame"] == str(frame)
            words = made.inner_text(".im-frames .im-how")
            assert words.startswith(f"Frame {frame}: O0–H8 {values[0][frame]:.4g}")
            budgets.add(made.inner_text(".im-bars"))
        assert len(budgets) == 2
        before = made.locator(".im-scatter").screenshot()
        first = made.inner_text(".im-bars li .im-label >> nth=0").replace("\u200b", "")
        made.select_option("select[data-axis=colour]", label=first)
        assert until(made, lambda: made.locator(".im-scatter").screenshot() != before)
        assert f"{first}: " in made.inner_text(".im-frames .im-how")
        assert "eV/Å" in made.inner_text(".im-frames .im-legend")
        made.locator(".im-scatter").focus()
        made.keyboard.press("End")
        wait_for(made, "answered", "5")
        assert not [w for w in made.words if "error" in w.lower()]


@pytest.mark.parametrize("width", [800, 1280])
def test_a_page_shows_two_gauges_side_by_side_and_no_words_overlap(width, tmp_path):
    import interpmd as im
    from interpmd.demo import MALONALDEHYDE

    frames = []
    for seed in range(3):
        frames.append(MALONALDEHYDE.copy())
        frames[-1].rattle(0.03, seed=seed)
    explorer = im.ForceExplorer(
        im.load("malonaldehyde"), frames, atom=8, frame=1, beside="gauge atoms"
    )
    explorer.save(tmp_path / "page.html")
    with page(width) as made:
        made.goto((tmp_path / "page.html").as_uri())
        made.wait_for_selector(READY)
        assert state(made)["tab"] == "beside"
        sums = made.locator(".im-side-row.im-sum .im-value").all_inner_texts()
        first, second, gap = (float(s.split("±")[0].replace("−", "-")) for s in sums)
        assert first == pytest.approx(second, abs=0.0011)
        assert gap == pytest.approx(0.0, abs=0.0011)
        assert "±" in sums[0] and "±" in sums[1]
        for tab in ("time", "map", "rows", "beside", "pairs", "checks"):
            made.click(f".im-tab[data-tab={tab}]")
            assert not overlapping(made, ".im-budget") + overlapping(made, ".im-lower"), tab
        assert made.evaluate("document.documentElement.scrollWidth") <= width


def test_bonds_come_and_go_as_the_rule_says(tmp_path):
    """Eight bonds where one oxygen holds the proton, nine where both do."""
    import interpmd as im
    from interpmd.demo import MALONALDEHYDE

    shared = MALONALDEHYDE.copy()
    shared.positions[[0, 4, 8]] += [[0.1, 0, 0], [-0.1, 0, 0], [-0.37, -0.17, 0]]
    assert max(shared.get_distances(8, [0, 4])) < 1.25
    explorer = im.ForceExplorer(
        im.load("malonaldehyde"), [MALONALDEHYDE, shared], atom=8, order=2, frame=0
    )
    with page() as made:
        made.goto(explorer.export_html(tmp_path / "jump.html").as_uri())
        made.wait_for_selector(READY)
        assert state(made)["bonds"] == "8"
        made.locator(".im-frame").focus()
        made.keyboard.press("End")
        wait_for(made, "bonds", "9")


def test_the_page_for_those_who_do_not_code(tmp_path):
    """Choose a molecule, run it, and its own forces are explained; no code is shown."""
    pytest.importorskip("voila")
    source = ROOT / "notebooks" / "voila" / "explorer.ipynb"
    with server(tmp_path, "voila", str(source)) as address, page() as made:
        made.goto(address)
        made.wait_for_selector(READY)
        check(made)
        assert "import" not in made.inner_text("body")
        first = made.inner_text(".im-bars")
        made.select_option("select:has(option:text('water: two molecules'))", index=2)
        made.click("button:has-text('Run')")
        made.wait_for_selector("text=running ...", state="detached")
        made.wait_for_function(
            "old => document.querySelectorAll('.interpmd-explorer').length === 1"
            " && document.querySelector('.interpmd-explorer[data-ready][data-answered]')"
            " && document.querySelector('.im-bars').innerText !== old",
            arg=first,
        )
        assert state(made)["viewer"] == "NglViewer"
        assert not [w for w in made.words if "not registered" in w]
        if folder := os.environ.get("INTERPMD_PICTURES"):
            made.screenshot(path=f"{folder}/voila.png")


def test_the_command_lab_opens_the_start_page(tmp_path):
    with lab(tmp_path) as address, page() as made:
        made.goto(f"{address}/?token={TOKEN}")
        made.wait_for_url("**/lab/tree/start.ipynb*")
        made.wait_for_selector(".jp-RenderedMarkdown a:has-text('pushes this proton')")
        if folder := os.environ.get("INTERPMD_PICTURES"):
            made.screenshot(path=f"{folder}/lab.png")
        # its rendering is watched, not run: JupyterLab would save the notebook of the repository
        assert made.locator(".jp-RenderedMarkdown td a").count() >= 7


def test_every_link_of_the_start_page_opens_its_notebook_with_pictures(tmp_path):
    """Merely opened, on copies: JupyterLab may save what it shows."""
    for source in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(source, tmp_path)
    with server(tmp_path, "lab") as address, page() as made:
        made.goto(f"{address}/lab/tree/start.ipynb?token={TOKEN}&reset")
        links = made.locator(".jp-RenderedMarkdown td a")
        links.first.wait_for()
        questions = links.all_inner_texts()
        assert len(questions) >= 9
        for question in questions:
            links.filter(has_text=question).click()
            opened = made.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
            opened.locator("h1", has_text=question).wait_for()
            opened.locator(".jp-OutputArea-output img").first.wait_for()
            made.locator(".lm-TabBar-tab", has_text="start.ipynb").first.click()
            links.first.wait_for()
