"""What a learned correction changes in its baseline, interaction by interaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd import arguments
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.targets import Target
from interpmd.fitting.delta import correction
from interpmd.markup import table
from interpmd.plots.budgets import corrected
from interpmd.potentials.baseline import baselines
from interpmd.potentials.potential import Potential
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.files import Structures
from interpmd.structures.groups import Grouping

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Corrections:
    """Explanations of a baseline and of what was learned on top, in one gauge.

    Attributes:
        baseline: of the cheap level of theory, as `im.explain` gives it.
        learned: of the correction, with its error bars; `baseline + learned` explains the sum.
        name: of the baseline.
        level: of theory that the sum stands for.
    """

    baseline: Explanation
    learned: Explanation
    name: str
    level: str

    def to_frame(self, by: str = "label") -> pd.DataFrame:
        """One line per row, the largest correction first.

        Columns: baseline, correction, std (of the correction under the posterior) and sum, in eV
        or eV/Å; vectors along the direction of the whole. Of an energy without a reference single
        players are left out: they hold the zeros of energy of both levels.

        Raises:
            GroupingError: another word than `Explanation.by` knows.
        """
        baseline, learned = self._shown()
        below, above = baseline.scalars(by), learned.scalars(by)
        spread = learned.spreads(by) or {}
        rows = {
            name: {
                "baseline": below.get(name, 0.0),
                "correction": above.get(name, 0.0),
                "std": spread.get(name, np.nan),
            }
            for name in dict.fromkeys([*above, *below])
        }
        found = pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
        found["sum"] = found.baseline + found.correction
        unit = baseline.unit
        found = found.reindex(found.correction.abs().sort_values(ascending=False).index)
        return found.rename(columns=lambda name: f"{name}_{unit}")

    def plot(
        self, by: str = "label", most: int = 8, ax: Sequence[Axes] | None = None
    ) -> Sequence[Axes]:
        """Rows of the baseline beside those of the sum, and what was corrected with its error bars.

        Args:
            by: a grouping, see `Explanation.by`.
            most: rows of the largest corrections.
            ax: two axes.
        """
        unit = self.baseline.unit
        found = self.to_frame(by).rename(columns=lambda name: name.removesuffix(f"_{unit}"))
        title = self.baseline.subject + (", interactions" if self._parts else "")
        return corrected(found, self.name, self.level, unit, title, most=most, ax=ax)

    @property
    def _parts(self) -> bool:
        """Whether single players are left out."""
        energy = self.baseline.unit == "eV" and self.baseline.reference is None
        return energy and bool((self.baseline.orders != 1).any())

    def _shown(self) -> tuple[Explanation, Explanation]:
        """Both, along the direction of their sum where they are vectors."""
        baseline, learned = self.baseline, self.learned
        if baseline.values.ndim > 1:
            whole = baseline.predicted + learned.predicted
            # `predicted` is what vectors are projected on
            baseline = baseline._with(baseline.contributions, predicted=whole)
            learned = learned._with(learned.contributions, predicted=whole)
        if self._parts:
            return baseline.interactions, learned.interactions
        return baseline, learned

    def __repr__(self) -> str:
        parts = self._parts
        total = np.round(self.learned.interactions.total if parts else self.learned.total, 3)
        return (
            f"{self.level} corrects {self.name} by {total} {self.baseline.unit} "
            f"({self.baseline.subject}{', interactions' if parts else ''}, gauge "
            f"{self.baseline.gauge})"
        )

    def _repr_html_(self) -> str:
        return table(self.to_frame().round(4))


def corrections(
    potential: Potential,
    atoms: Structures,
    target: Target | None = None,
    *,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    reference: Atoms | None = None,
    **options: Any,
) -> Corrections:
    """What the reference corrects in the baseline: each row of both, with error bars.

    "What does DFT correct in GFN2-xTB, group by group?"

    Args:
        potential: fitted with ``baseline=``.
        atoms: the structure, or a file of it.
        target, gauge, reference, options: see `im.explain`; a gauge that takes any model. Energies
            are best asked as the difference from a `reference` structure.

    Raises:
        LabelError: the potential has no baseline.
        MethodError: gauge "atoms", whose table a level of theory does not have.
        Others: see `im.explain`.

    Example:
        >>> import numpy as np
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> water = im.sample(molecule("H2O"), "rattle", n=12, seed=0)
        >>> frames = im.label(water, "gfn2-xtb", progress=False)
        >>> spec = im.Spec(channels=(40, 20), lmax=(0, 2), weights=60)
        >>> report = im.fit(frames, spec=spec, baseline="gfn1-xtb", progress=False)
        >>> found = im.corrections(report.potential, frames[0], im.Force(1, along=0))
        >>> bool(abs(found.baseline.total + found.learned.total
        ...     - im.explain(report.potential, frames[0], im.Force(1, along=0)).total) < 1e-9)
        True
    """
    arguments.of_class(Potential, potential=potential)
    learned = correction(potential)
    below = Potential({"baseline": baselines(potential)[0]}, potential.elements)
    asked = {"gauge": gauge, "reference": reference, **options}
    return Corrections(
        baseline=explain(below, atoms, target, **asked),
        learned=explain(learned, atoms, target, **asked),
        name=baselines(potential)[0].name,
        level=potential.card.level or "reference",
    )
