"""Functions for worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    return number * number


def dies_once(number: int, mark: str) -> int:
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def dies_always(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def waits(number: int, folder: str) -> int:
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)
    return number


def where(number: int) -> tuple[int, int]:
    time.sleep(0.05)
    return number, os.getpid()
