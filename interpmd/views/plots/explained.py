"""Pictures of an `Explanation`, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.groupings import GroupingError
from interpmd.views.plots.budgets import bars, budget, heat_map, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What `Explanation.plot` can draw.
KINDS = ("waterfall", "bars", "heat_map", "shares")


def draw(explanation: Explanation, by: str, most: int, ax: Axes | None, kind: str) -> Axes:
    """See `Explanation.plot`."""
    if kind not in KINDS:
        raise GroupingError(f"no plot is called {kind!r}; choose one of {', '.join(KINDS)}")
    vector = explanation.values.ndim > 1
    title = f"{explanation.target}" + (", along its direction" if vector else "")
    unit = explanation.unit.replace("A", "Å")
    if kind == "heat_map":
        return heat_map(explanation.pair_matrix(), unit=unit, title=title, ax=ax)
    if kind == "shares":
        return shares(order_shares(explanation), "share of the sum (%)", title, ax)
    picture = budget if kind == "waterfall" else bars
    values, spread = explanation.scalars(by), explanation.spreads(by)
    return picture(values, spread, most=most, unit=unit, title=title, ax=ax)


def order_shares(explanation: Explanation) -> pd.DataFrame:
    """Shares of the orders above one in percent of their sum, remainders (0) last.

    Single players are left out, because isolated atoms would outweigh all that they do together.
    Without limits where orders of opposite sign nearly cancel.
    """
    sums = {int(order): value for order, value in explanation.scalars("order").items()}
    orders = sorted((order for order in sums if order != 1), key=lambda order: order or 99)
    values = np.array([sums[order] for order in orders])
    table = pd.DataFrame({explanation.method: 100 * values / values.sum()}, index=orders)
    return table.rename_axis("order")
