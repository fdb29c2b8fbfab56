"""Pictures by matplotlib in one look. Each takes ``ax=`` and returns its Axes.

| picture | function |
|---|---|
| contributions that add up, as a waterfall | `budget` |
| contributions as bars from zero, with their sum | `bars` |
| shares of body orders, of one or several sources | `shares` |
| atoms by atoms, signed | `heat_map` |
| contributions against time | `time_lines`, `explained_lines` |
| work done against time, with the kinetic energy | `work_ledger` |
| prediction against reference | `parity` |
| error against number of labels | `learning_curve` |
| n-body terms of water, model against quantum | `many_body` |
| curves of rankings | `rankings` |
"""

from interpmd.plots.budgets import bars, budget, heat_map, shares
from interpmd.plots.comparisons import learning_curve, many_body, parity
from interpmd.plots.lines import explained_lines, rankings, time_lines, work_ledger

__all__ = [
    "bars",
    "budget",
    "explained_lines",
    "heat_map",
    "learning_curve",
    "many_body",
    "parity",
    "rankings",
    "shares",
    "time_lines",
    "work_ledger",
]
