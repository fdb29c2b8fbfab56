"""An interrupted fit, kept on disk until it is done."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

#: Seconds between two checkpoints of a fit, which would be lost if it were killed.
EVERY = 120.0


class Checkpoint:
    """Arrays of one stage of a fit, beside its output folder.

    Args:
        folder: output folder of the fit.
        stage: name of the file.
        key: hash of data and settings; arrays stored under another key are ignored.
    """

    def __init__(self, folder: str | Path, stage: str, key: str) -> None:
        self.path = partial(folder) / f"{stage}.npz"
        self.key, self.written = key, time.monotonic()

    @property
    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self.written > EVERY

    def write(self, **arrays: np.ndarray | float) -> None:
        """Store arrays; if the disk is full the checkpoint is lost, not the fit."""
        fresh = self.path.with_suffix(".new.npz")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(fresh, key=self.key, **arrays)
            fresh.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            warnings.warn(f"no checkpoint of the fit: {error}", stacklevel=2)
        self.written = time.monotonic()

    def read(self, names: Iterable[str] = ()) -> dict[str, np.ndarray] | None:
        """The arrays, or None if there are none that this fit can go on from.

        Args:
            names: of arrays that it needs, which another version may not have stored.
        """
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                if str(stored["key"]) != self.key:
                    return None
                arrays = dict(stored)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever a damaged archive raises
            warnings.warn(f"{self.path} is damaged ({error}); the fit starts again", stacklevel=2)
            return None
        if lacking := sorted(set(names) - set(arrays)):
            warnings.warn(
                f"{self.path} is of another version, without {', '.join(lacking)}; what it holds "
                "is made again",
                stacklevel=2,
            )
            return None
        return arrays


def partial(folder: str | Path) -> Path:
    """Folder of the checkpoints of a fit."""
    return Path(f"{folder}.partial")


def remove_checkpoints(folder: str | Path) -> None:
    """Delete them: the fit is done."""
    shutil.rmtree(partial(folder), ignore_errors=True)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Postpone Ctrl-C until the end of the block, so that the block is never half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = []
    usual = signal.signal(signal.SIGINT, lambda *_: caught.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
    if caught:
        raise KeyboardInterrupt
