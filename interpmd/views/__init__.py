"""How results look: static pictures and reports that open offline."""

from interpmd.views import plots

__all__ = ["plots"]
