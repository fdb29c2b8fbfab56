"""A process that is killed at its n-th change of a file."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

#: What changes a file or folder, in the words of Python.
CHANGES = (
    (Path, ("replace", "unlink", "mkdir", "rmdir", "open")),
    (os, ("fsync", "truncate", "open")),
)


def killed_at(step: int, work: Callable[[], object], after: bool) -> bool:
    """Do some work in a fork that is killed before or after its n-th change of a file.

    Returns:
        Whether it was killed; false if it made fewer changes.
    """
    child = os.fork()
    if child == 0:
        count = 0

        def deadly(usual):
            def call(*args, **keywords):
                nonlocal count
                count += 1
                if count == step and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                try:
                    return usual(*args, **keywords)
                finally:
                    if count == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            return call

        for owner, names in CHANGES:
            for name in names:
                setattr(owner, name, deadly(getattr(owner, name)))
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0, "the work failed before it was killed"
        return False
    return True
