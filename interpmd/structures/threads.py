"""How many threads torch uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch until the end of the block, or of the function that it decorates.

    The tensors of one molecule are so small that to share them out among threads takes longer
    than to compute with them. Nothing changes for other libraries.
    """
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)
