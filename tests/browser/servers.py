"""A Jupyter server and a page in it, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
from chromium import FLAGS, find_chromium

ROOT = Path(__file__).parents[2]
TOKEN = "tests"
READY = ".interpmd-explorer[data-ready][data-answered]"


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(notebook, path)


def free_port() -> int:
    """A port that nobody has, outside the range from which the system gives ports to others."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def server(folder: Path, program: str = "lab", *options: str) -> Iterator[str]:
    """Start "lab", "notebook" or "voila" on a free port; yields its address."""
    port = free_port()
    common = ["--no-browser", f"--port={port}"]
    if program != "voila":
        common += [
            "--allow-root",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={folder}",
        ]
    _quiet(folder / ".config")
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    log = (folder / f"{program}.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter" if program != "voila" else "voila"]
        + ([program] if program != "voila" else [])
        + [*common, *options],
        cwd=folder,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address, process, folder / f"{program}.log")
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        log.close()


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[str]:
    """The command `interpmd lab` on a free port; yields its address."""
    port = free_port()
    _quiet(folder / ".config")
    token = f"--IdentityProvider.token={TOKEN}"
    options = ["--no-browser", "--allow-root", f"--port={port}", token]
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYTHONPATH": str(ROOT),
    }
    log = folder / "lab.log"
    with log.open("w") as words:
        process = subprocess.Popen(
            [sys.executable, "-m", "interpmd", "lab", *options],
            cwd=folder,
            env=environment,
            stdout=words,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{port}"
        try:
            _wait_for(address, process, log)
            yield address
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _quiet(config: Path) -> None:
    """No questions about news and updates on top of the page."""
    overrides = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        }
    }
    path = config / "labconfig" / "default_setting_overrides.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(overrides))


def _wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api" if "lab" in log.name else address, timeout=20)
            return
        time.sleep(0.5)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def page(width: int = 1280, height: int = 1300) -> Iterator:
    """A page of a headless Chromium; `page.words` collects what its console says."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        made = chromium.new_page(viewport={"width": width, "height": height})
        made.set_default_timeout(90_000)
        made.words = []
        made.on("console", lambda message: made.words.append(message.text))
        made.on("pageerror", lambda error: made.words.append(f"page error: {error}"))
        made.add_locator_handler(made.locator(".jp-Dialog"), lambda dialog: _agree(made, dialog))
        yield made
        chromium.close()


def _agree(made, dialog) -> None:
    """Questions that a slow server makes JupyterLab ask, such as which kernel to take."""
    made.words.append(f"dialog: {dialog.first.inner_text()}")
    dialog.locator("button.jp-mod-accept").first.click()


def open_in_lab(made, address: str, name: str, cells: int = 1, ready: str = READY) -> None:
    """Open a notebook in JupyterLab and run its cells one by one."""
    made.goto(f"{address}/lab/tree/{name}?token={TOKEN}&reset")
    made.wait_for_selector(".jp-NotebookPanel .jp-CodeCell .cm-content")
    # the kernel must be there before a cell can run
    made.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", state="attached")
    made.keyboard.press("Control+b")
    run_cells(made, cells, ready)


def run_cells(made, cells: int = 1, ready: str = READY) -> None:
    """Run the first cells until what they show, found by the selector `ready`, is there.

    On a busy machine Jupyter now and then drops an output that comes while its widgets are still
    loading; running the cell again shows it, as it does for people.
    """
    from playwright.sync_api import TimeoutError as TimedOut

    for patience in (30_000, 45_000, 90_000):
        _run_once(made, cells)
        try:
            made.wait_for_selector(ready, timeout=patience)
        except TimedOut as error:
            last = error
        else:
            return
    raise RuntimeError(f"{ready} did not show; console: " + "; ".join(made.words)) from last


def _run_once(made, cells: int) -> None:
    """A run that comes before the kernel is connected is lost, so again."""
    prompt = made.locator(".jp-CodeCell .jp-InputArea-prompt").first
    before = prompt.inner_text()
    for _ in range(20):
        made.locator(".jp-CodeCell .cm-content").first.click()
        for _ in range(cells):
            made.keyboard.press("Shift+Enter")
        made.wait_for_timeout(1500)
        if prompt.inner_text() != before:
            break


def state(made) -> dict[str, str]:
    """What the explorer says of itself."""
    return made.evaluate("({...document.querySelector('.interpmd-explorer').dataset})")


def wait_for(made, name: str, value: str, timeout: float = 90_000) -> None:
    made.wait_for_function(
        "([name, value]) => document.querySelector('.interpmd-explorer')?.dataset[name] === value",
        arg=[name, value],
        timeout=timeout,
    )


def until(made, holds, seconds: float = 20) -> bool:
    """Whether something comes to hold in time: what is answered is drawn a moment later."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        made.wait_for_timeout(250)
    return held
