"""Numbers that a control of the explorer may be set to, checked when they are set."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets as t

from interpmd.attribution.named_atoms import atom_of


class Whole(t.Int):
    """A whole number, of numpy as well."""

    def validate(self, obj: Any, value: Any) -> Any:
        return super().validate(obj, int(value) if isinstance(value, np.integer) else value)


class FrameNumber(Whole):
    """The number of a frame that there is; ArgumentError says which there are."""

    def validate(self, obj: Any, value: Any) -> int:
        obj.state.check_frame(value)
        return int(value)


class AtomNumber(Whole):
    """An atom of the structure, by index or name ("H8"); TargetError says which there are."""

    def validate(self, obj: Any, value: Any) -> int:
        return atom_of(value, obj.state.frames[0])
