"""An interrupted fit, kept on disk until it is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from interpmd.fitting.normal import NormalEquations

FILE = "fit-checkpoint.npz"


class Checkpoint:
    """Normal equations accumulated so far, in the output folder of a fit.

    Args:
        folder: output folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(f"{folder}.partial") / FILE

    def write(self, equations: NormalEquations, key: str, done: int) -> None:
        """Store the equations after `done` frames; `key` tells data and settings."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".new.npz")
        np.savez(
            fresh,
            matrix=equations.matrix,
            vector=equations.vector,
            square=equations.square,
            rows=equations.rows,
            key=key,
            done=done,
        )
        fresh.replace(self.path)

    def restore(self, equations: NormalEquations, key: str) -> int:
        """Fill the equations from the file if it belongs to this fit; number of frames done."""
        if not self.path.exists():
            return 0
        with np.load(self.path, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return 0
            equations.matrix = np.asfortranarray(stored["matrix"])
            equations.vector = stored["vector"]
            equations.square, equations.rows = float(stored["square"]), int(stored["rows"])
            return int(stored["done"])

    def remove(self) -> None:
        """Delete the file, and its folder if nothing else is in it."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.exists() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()
