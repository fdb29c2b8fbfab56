"""One thread for small tensors, and as many as before afterwards."""

from __future__ import annotations

import pytest
import torch

from interpmd.structures.threads import one_thread


@pytest.fixture
def usual():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_one_thread_within_and_the_usual_number_after_errors_too(usual):
    with one_thread():
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == usual
    with pytest.raises(ZeroDivisionError), one_thread():
        1 / 0  # noqa: B018
    assert torch.get_num_threads() == usual


def test_it_decorates_functions(usual):
    @one_thread()
    def threads() -> int:
        """How many."""
        return torch.get_num_threads()

    assert threads() == threads() == 1
    assert torch.get_num_threads() == usual and threads.__doc__ == "How many."
