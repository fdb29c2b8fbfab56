"""The documentation: it builds without a warning, needs no network, and says what is so."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pages import ENVIRONMENT, ROOT, blocks

import interpmd as im

sys.path.insert(0, str(ROOT / "benchmarks"))
import results

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
WITH_NAMES = [
    *PAGES,
    *sorted((DOCS / "reference").glob("*")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "README.md",
]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The pages; every warning is an error."""
    pytest.importorskip("myst_nb", reason="building the documentation needs interpmd[docs]")
    out = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(out / ".doctrees"), str(DOCS), str(out)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


class Loaded(HTMLParser):
    """What a page asks for when it is opened: scripts, styles, pictures, fonts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag in ("script", "img", "iframe", "source", "video"):
            self.found.append(values.get("src") or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon"):
            self.found.append(values.get("href") or "")


def test_pages_load_nothing_from_other_servers(built):
    pages = list(built.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        remote = [url for url in Loaded(page).found if re.match(r"(https?:)?//", url)]
        assert not remote, f"{page.name} loads {remote}"
    for style in built.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?(?:https?:)?//", style.read_text()), style


def test_equations_are_drawn_without_scripts(built):
    page = (built / "theory.html").read_text()
    equations = (DOCS / "theory.md").read_text().count("```{math}")
    assert page.count('display="block"') == equations > 15
    assert re.search(r"<math[^>]*>.*?<munder><mo>&#x02211;</mo>", page)
    assert '<span class="eqno">(1)</span>' in page


def test_equations_appear_in_a_browser_without_network(built, monkeypatch):
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "browser"))
    from chromium import FLAGS, find_chromium

    if (browser := find_chromium()) is None:
        pytest.skip("no Chromium here: run python tests/browser/install_chromium.py")
    problems: list[str] = []
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=list(FLAGS))
        page = chromium.new_context(offline=True).new_page()
        page.on("requestfailed", lambda request: problems.append(request.url))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.goto((built / "theory.html").as_uri())
        page.wait_for_function("document.fonts.status === 'loaded'")
        loaded = "[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)"
        fonts = page.evaluate(loaded)
        sizes = page.eval_on_selector_all(
            "div.math math", "all => all.map(m => [m.scrollWidth, m.scrollHeight])"
        )
        chromium.close()
    assert not problems
    assert any("STIX Two Math" in family for family in fonts)
    assert len(sizes) > 15 and all(width > 60 and height > 12 for width, height in sizes)


def test_figures_are_those_measured(built):
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", (built / "evidence.html").read_text()))
    text = unescape(text).replace("’", "'")  # as Sphinx prints it
    for name, entry in results.measured().items():
        assert name in text, name
        assert results.shown(entry["value"]).replace("\\[", "[") in text, name


def test_every_public_name_and_method_has_its_reference(built):
    text = "".join(page.read_text() for page in (built / "reference").glob("*.html"))
    missing = [name for name in im.__all__ if f'id="interpmd.{name}"' not in text]
    assert not missing
    guide = (built / "explaining.html").read_text()
    for name in im.methods().index:
        assert f'id="method-{name.replace("_", "-")}"' in guide, name


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_code_of_the_pages_runs(path, tmp_path, monkeypatch):
    code = blocks(path)
    if not code:
        pytest.skip("a page without code")
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "page"}
    for block in code:
        exec(compile(block, path.name, "exec"), names)


@pytest.mark.parametrize("path", WITH_NAMES, ids=lambda p: p.name)
def test_files_and_modules_that_are_named_exist(path):
    text = path.read_text()
    rooms = "interpmd|tests|benchmarks|notebooks|docs|data"
    named = re.findall(rf"`((?:{rooms})/[\w/.-]*)`", text)
    missing = [name for name in named if not name.startswith("docs/_build") if not exists(name)]
    modules = re.findall(r"\binterpmd(?:\.\w+)+", text)
    missing += [name for name in modules if not resolves(name)]
    assert not missing


def exists(name: str) -> bool:
    """Whether a file or folder is there."""
    return (ROOT / name).exists()


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_names_of_files_and_modules_are_looked_up():
    assert exists("interpmd/errors.py") and not exists("interpmd/attribution/clusters.py")
    assert resolves("interpmd.trust.axioms.check_explainer")
    assert not resolves("interpmd.attribution.registry")
