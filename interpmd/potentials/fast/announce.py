"""Saying so when kernels are compiled: nobody should spend seconds in front of a silent screen."""

from __future__ import annotations

import sys
from typing import Any

from numba.core import event


class Announcer(event.Listener):
    """Says once a process that kernels of this package are being compiled."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: event.Event) -> None:
        data: dict[str, Any] = event.data or {}  # numba does not say what it holds
        function = getattr(data.get("dispatcher"), "py_func", None)
        module = getattr(function, "__module__", None) or ""  # what is made by exec has none
        ours = module.startswith("interpmd.potentials.fast")
        if ours and not self.said:
            self.said = True
            print(
                "interpmd: compiling the fast evaluator, once for this installation (about 10 s)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: event.Event) -> None:
        pass


def announce() -> None:
    """Have compilations announced from now on."""
    event.register("numba:compile", Announcer())
