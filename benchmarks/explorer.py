"""Frames per second of the explorer in JupyterLab: 200 atoms, 500 interactions, drawn in software.

    python benchmarks/explorer.py [SECONDS | picture]

"picture" makes docs/explorer.png instead. Needs a Chromium
(python tests/browser/install_chromium.py).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

from results import ROOT, record
from servers import READY, open_in_lab, page, server, state, wait_for, write_notebook

CODE = """
import numpy as np
from ase import Atoms
import interpmd as im
from interpmd.potentials.analytic.pairs import LennardJones

random = np.random.default_rng(0)
grid = 3.9 * np.array([[x, y, z] for x in range(6) for y in range(6) for z in range(6)])[:200]
frames = [Atoms("Ar200", grid + random.normal(0, 0.25, grid.shape)) for _ in range(20)]
potential = im.Potential({"pair": LennardJones(0.0104, 3.4, cutoff=8.0)})
explorer = im.ForceExplorer(potential, frames, target="energy", order=2, shown=500)
explorer
"""

MALONALDEHYDE = """
import interpmd as im
from interpmd.demo import MALONALDEHYDE
frames = [MALONALDEHYDE.copy() for _ in range(4)]
for seed, atoms in enumerate(frames):
    atoms.rattle(0.03, seed=seed)
explorer = im.ForceExplorer(im.load("malonaldehyde"), frames, atom=8)
explorer
"""

#: What docs/explorer.png shows: the run of the first notebook, around the jump of the proton.
JUMP = """
import numpy as np
import interpmd as im
from interpmd.demo import MALONALDEHYDE, transfer_coordinate
potential = im.load("malonaldehyde")
run = im.simulate(potential, MALONALDEHYDE, temperature=800, steps=700, timestep=0.5, interval=2,
                  seed=1, progress=False)
jump = int(np.flatnonzero(np.array([transfer_coordinate(atoms) for atoms in run]) > 0)[0])
explorer = im.ForceExplorer(potential, run[jump - 20 : jump + 4], frame=13, target="along", atom=8,
                            other=0)
explorer
"""

#: Counts from inside the page, where the clock of the browser runs.
FILM = """async (seconds) => {
  const explorer = document.querySelector('.interpmd-explorer');
  const first = Number(explorer.dataset.drawn), start = performance.now();
  explorer.querySelector('.im-play').click();
  await new Promise(done => setTimeout(done, 1000 * seconds));
  explorer.querySelector('.im-play').click();
  return (Number(explorer.dataset.drawn) - first - 1) / (performance.now() - start) * 1000;
}"""

CLICK = """async () => {
  const explorer = document.querySelector('.interpmd-explorer');
  const select = explorer.querySelectorAll('.im-controls select')[1];
  const times = [];
  for (const atom of [3, 4, 5, 6, 7]) {
    const start = performance.now(), drawn = explorer.dataset.title;
    select.value = atom;
    select.dispatchEvent(new Event('change'));
    while (explorer.dataset.title === drawn) await new Promise(done => setTimeout(done, 2));
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2];
}"""


def heap_growth(made, changes: int = 10_000) -> float:
    """Growth of the collected heap in MB over frame changes by keyboard."""
    session = made.context.new_cdp_session(made)

    def step(times: int) -> float:
        made.locator(".im-frame").focus()
        for _ in range(times // 4):
            for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
                made.keyboard.press(key)
        made.wait_for_timeout(500)
        session.send("HeapProfiler.collectGarbage")
        return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6

    before = step(200)
    return step(changes) - before


def first_picture(made) -> float:
    """Seconds from running the cell again to an explorer that is ready."""
    made.evaluate("document.querySelector('.interpmd-explorer').classList.add('im-old')")
    made.locator(".jp-CodeCell .cm-content").first.click()
    start = time.perf_counter()
    made.keyboard.press("Shift+Enter")
    made.wait_for_selector(".interpmd-explorer[data-ready][data-answered]:not(.im-old)")
    return time.perf_counter() - start


def picture() -> None:
    folder = Path(tempfile.mkdtemp())
    write_notebook(folder / "jump.ipynb", JUMP)
    with server(folder, "voila", str(folder / "jump.ipynb")) as address, page(1360) as made:
        made.goto(address)
        made.wait_for_selector(READY, timeout=120_000)
        made.locator(".im-tabs button", has_text="over time").click()
        made.wait_for_timeout(3_000)
        made.locator(".interpmd-explorer").screenshot(path=ROOT / "docs" / "explorer.png")


def main() -> None:
    if sys.argv[1:] == ["picture"]:
        picture()
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    folder = Path(tempfile.mkdtemp())
    write_notebook(folder / "many.ipynb", CODE)
    write_notebook(folder / "few.ipynb", MALONALDEHYDE)
    with server(folder, "lab") as address:
        with page() as made:
            open_in_lab(made, address, "many.ipynb")
            made.click(".im-all")
            made.wait_for_selector(".im-all", state="hidden")
            lines = int(state(made)["lines"])
            fps = round(made.evaluate(FILM, seconds), 1)
        with page() as made:
            open_in_lab(made, address, "few.ipynb")
            click = round(made.evaluate(CLICK))
            start = time.perf_counter()
            made.locator(".im-frame").focus()
            made.keyboard.press("ArrowRight")
            wait_for(made, "answered", "1")
            fresh = round(1000 * (time.perf_counter() - start))
            growth = heap_growth(made)
            again = first_picture(made)
    # other work on the machine slows software rendering most of all: said beside the figures
    load = f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
    record(
        {
            "explorer: frames/s, 200 atoms, 500 interactions, software": f"{fps} {load}",
            "explorer: click to budget, table known (ms)": f"{click} {load}",
            "explorer: new frame to budget, 9 atoms (ms)": f"{fresh} {load}",
            "explorer: cell run to first picture, kernel warm (s)": f"{again:.1f} {load}",
            "explorer: growth of browser memory over 10,000 frames (MB)": f"{growth:.1f}",
        },
        "python benchmarks/explorer.py",
    )
    print(f"{lines} cylinders")


if __name__ == "__main__":
    main()
