"""Old keywords work and warn."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import pytest

from interpmd.keywords import renamed


@renamed(steps="n_steps")
def simulate(start, n_steps=2):
    """Here."""
    return start + n_steps


def test_the_new_name_is_silent(recwarn):
    assert simulate(1, n_steps=5) == simulate(1, 5) == 6
    assert not recwarn


def test_the_old_name_works_and_warns_where_it_is_called():
    with pytest.warns(FutureWarning, match=r"simulate\(steps=...\) is now .*n_steps") as seen:
        assert simulate(1, steps=5) == 6
    assert seen[0].filename == __file__


def test_both_names_together_are_an_error():
    with pytest.raises(TypeError, match="former name"):
        simulate(1, steps=5, n_steps=5)


def test_signature_and_docstring_stay():
    assert list(inspect.signature(simulate).parameters) == ["start", "n_steps"]
    assert simulate.__doc__ == "Here."


def test_a_dataclass_takes_it_on_its_constructor():
    @dataclass(frozen=True)
    class Settings:
        degree: int = 1

    Settings.__init__ = renamed(order="degree")(Settings.__init__)
    with pytest.warns(FutureWarning, match=r"Settings\(order"):
        assert Settings(order=3) == Settings(degree=3)
