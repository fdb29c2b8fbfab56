"""The moving picture of `LiveMD`: drawn in the browser, one message for each picture."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import Any

import numpy as np
import traitlets as t
from ase import Atoms
from ase.data.colors import jmol_colors
from jaxtyping import Float

from interpmd.plots.molecule import radii_of
from interpmd.views.toolkit import anywidget

#: Points of the curves that are sent; older ones are thinned out.
POINTS = 300

#: Seconds after which a picture that no browser has acknowledged is given up.
PATIENCE = 1.0

STYLE = """
.interpmd-live { display: flex; flex-flow: row wrap; gap: 10px; background: #ffffff; }
.interpmd-live canvas { flex: 1 1 290px; min-width: 0; max-width: 520px; height: 360px; }
.interpmd-live canvas:first-child { cursor: grab; touch-action: none; }
"""


class Stage(anywidget.AnyWidget):
    """A molecule that moves, with energy and temperature by time.

    Args:
        atoms: elements, and the size of the picture.
        plane: directions to the right, upwards and to the reader, shape (3, 3).

    Attributes:
        shown: pictures that a browser has drawn, as far as it has said so.
    """

    _esm = files(__package__).joinpath("stage.js").read_text(encoding="utf-8")
    _css = STYLE

    scene = t.Dict().tag(sync=True)
    state = t.Dict().tag(sync=True)
    positions = t.Bytes().tag(sync=True)
    history = t.Bytes().tag(sync=True)

    def __init__(self, atoms: Atoms, plane: Float[np.ndarray, "3 3"]) -> None:
        places = atoms.positions - atoms.positions.mean(0)
        channels = (255 * jmol_colors[atoms.numbers]).round().astype(int)
        self.shown, self._sent = 0, -np.inf
        self._on_the_way: list[int] = []
        super().__init__(
            scene={
                "axes": plane.tolist(),
                "reach": float(np.linalg.norm(places, axis=1).max()) + 0.5,
                "radii": radii_of(atoms).tolist(),
                "colours": ["#" + "".join(f"{c:02x}" for c in rgb) for rgb in channels.tolist()],
                "names": [f"{symbol}{i}" for i, symbol in enumerate(atoms.symbols)],
            }
        )
        self.on_msg(self._heard)

    @property
    def free(self) -> bool:
        """Whether the browser has drawn all pictures but one, or does not answer."""
        waiting = len(self._on_the_way) > 1
        return not waiting or time.monotonic() - self._sent > PATIENCE

    def show(
        self,
        state: dict[str, Any],
        positions: Float[np.ndarray, "atoms 3"],
        history: Float[np.ndarray, "three frames"] | None = None,
    ) -> None:
        """Send a picture.

        Args:
            state: number, atom, force, bonds, rows, thermostat and words, for `stage.js`.
            positions: Å.
            history: times in fs, energies in eV since the first, temperatures in K; what the
                browser has if None.
        """
        self._sent = time.monotonic()
        self._on_the_way = [*self._on_the_way[-3:], state["number"]]
        with self.hold_sync():
            self.state = state
            self.positions = positions.astype("<f4").tobytes()
            if history is not None:
                self.history = _thinned(history).tobytes()

    def _heard(self, _: Any, content: dict[str, Any], __: Any) -> None:
        if "seen" in content:
            self.shown += 1
            self._on_the_way = [n for n in self._on_the_way if n > content["seen"]]


def _thinned(history: Float[np.ndarray, "three frames"]) -> Float[np.ndarray, "three points"]:
    """At most `POINTS` of the frames, the first and the last among them."""
    count = history.shape[1]
    chosen = np.linspace(0, count - 1, min(count, POINTS)).round().astype(int)
    return np.ascontiguousarray(history[:, chosen], dtype="<f4")
