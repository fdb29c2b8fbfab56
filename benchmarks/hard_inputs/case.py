"""What a case is, and what counts as handled."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

import numpy as np

from interpmd.errors import InterpmdError

#: Ways in which a case can end.
RIGHT, SAID, SILENT, UNCLEAR = "right value", "one clear line", "silent", "unclear"


@dataclass(frozen=True)
class Case:
    """An input and what must come of it.

    Attributes:
        name: what is wrong with the input.
        run: does what a user would do, and returns whether what comes out is right.
        words: a pattern of the line that must be said; None where the right value is asked for.
    """

    name: str
    run: Callable[[], object]
    words: str | None = None

    def outcome(self) -> tuple[str, str]:
        """How the case ends, and what was said."""
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            if self.words is not None:
                # the first word of warning ends the case: nobody can have missed it
                warnings.simplefilter("error", UserWarning)
            try:
                value = self.run()
            except (InterpmdError, UserWarning) as error:
                line = str(error)
                if self.words is not None and re.search(self.words, line):
                    return SAID, line
                return UNCLEAR, f"{type(error).__name__}: {line}"
            except Exception as error:
                return UNCLEAR, f"{type(error).__name__}: {error}"
        if self.words is None and value is not None and bool(np.all(value)):
            return RIGHT, ""
        return SILENT, f"gave {value!r}"
