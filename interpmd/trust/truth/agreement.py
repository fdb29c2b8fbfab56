"""n-body contributions of a potential beside those of its reference: errors, shares, pictures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from interpmd.attribution.certificate import Check
from interpmd.errors import ArgumentError
from interpmd.markup import markup, table
from interpmd.plots.comparisons import many_body

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class QuantumTruth:
    """Contributions of sets of molecules by the reference method and by a potential.

    Attributes:
        level: of theory.
        order: largest number of molecules in a set.
        contributions: one line per set of two and more molecules: frame, molecules (how many the
            frame has), fragments (which; all of them in the remainders), order (how many; 0 for
            the remainder of the frame above `order`), quantum and potential (kcal/mol), and, over
            the components on the atoms of the set, quantum_force (root mean square) and
            force_error (root mean square error), both in eV/Å.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> dimers = im.sample(molecule("H2O"), how="dimers", n=3, seed=0)
        >>> truth = im.quantum_truth(im.load("water"), dimers, progress=False)
        >>> truth.level, truth.to_frame().fragments.tolist()
        ('gfn2-xtb', [(0, 1), (0, 1), (0, 1)])
        >>> bool(truth.to_frame().error.abs().max() < 0.5)  # kcal/mol
        True
    """

    level: str
    order: int
    contributions: pd.DataFrame

    @property
    def method(self) -> str:
        """Former name of `level`, for one release."""
        warnings.warn(
            "QuantumTruth.method is now QuantumTruth.level; the old name will go with the next "
            "release",
            FutureWarning,
            stacklevel=2,
        )
        return self.level

    def to_frame(self) -> pd.DataFrame:
        """One line per set of molecules, with its error in kcal/mol."""
        frame = self.contributions.copy()
        frame["error"] = frame.potential - frame.quantum
        return frame

    def errors(self) -> pd.DataFrame:
        """Errors of the sets of each size: kcal/mol, and meV/Å for forces."""
        rows = {}
        for order, part in self.by_order():
            error = part.potential - part.quantum
            rows[order] = {
                "sets": len(part),
                "quantum_rms": root_mean_square(part.quantum),
                "rmse": root_mean_square(error),
                "mae": float(error.abs().mean()),
                "largest": float(error.abs().max()),
                "force_rms_meV/A": 1e3 * root_mean_square(part.quantum_force),
                "force_rmse_meV/A": 1e3 * root_mean_square(part.force_error),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("order")

    def checks(self) -> list[Check]:
        """For a certificate: shares within 2 percentage points, and mean absolute errors of the
        two- and three-body contributions, the latter at most 0.1 kcal/mol."""
        shares, errors = self.shares().difference.abs(), self.errors()
        sizes = self.contributions.groupby("frame").molecules.first()
        counts = f"{sizes.min()}" + (f" to {sizes.max()}" if sizes.max() > sizes.min() else "")
        sets = f"{len(sizes)} clusters of {counts} molecules, against {self.level}"
        made = [
            Check("quantum truth", f"{_name(o)} share", float(v), 2.0, "percentage points", sets)
            for o, v in shares.items()
            if o > 1
        ]
        for order, limit in ((2, None), (3, 0.1)):
            if order in errors.index:
                value = float(errors.mae[order])
                made.append(
                    Check("quantum truth", f"{_name(order)} mean error", value, limit, "kcal/mol")
                )
        return made

    def shares(self, molecules: int | None = None) -> pd.DataFrame:
        """Share of each order in the interaction energy, in percent.

        The interaction energy is that of the whole less that of its molecules, both summed over
        the frames: shares of single frames grow without limit where their interaction is weak.

        Args:
            molecules: only frames with so many molecules.

        Raises:
            ValueError: there are no such frames.
        """
        frame = self.contributions
        frame = frame if molecules is None else frame[frame.molecules == molecules]
        if frame.empty:
            raise ArgumentError(f"there are no frames of {molecules} molecules")
        totals = frame[["quantum", "potential"]].sum()
        rows = {
            order: 100 * p[["quantum", "potential"]].sum() / totals
            for order, p in self._groups(frame)
        }
        table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("order")
        table["difference"] = table.potential - table.quantum
        return table

    def plot(
        self, molecules: int | None = None, ax: Sequence[Axes] | None = None
    ) -> Sequence[Axes]:
        """Contributions of the potential against those of the method, and the shares as bars.

        Args:
            molecules: shares of frames with so many molecules only.
            ax: two axes.
        """
        terms = {
            order: (part.quantum.to_numpy(), part.potential.to_numpy())
            for order, part in self.by_order()
        }
        columns = {"quantum": self.level, "potential": "potential"}
        table = self.shares(molecules)[list(columns)].rename(columns=columns)
        title = "all frames" if molecules is None else f"clusters of {molecules}"
        return many_body(terms, table, self.level, title, ax)

    def __repr__(self) -> str:
        errors = self.errors()
        parts = [f"{_name(o)} {e.rmse:.3f} of {e.quantum_rms:.3f}" for o, e in errors.iterrows()]
        frames = self.contributions.frame.nunique()
        return (
            f"QuantumTruth, {self.level}, {frames} clusters; error (RMS) of RMS in kcal/mol: "
            + ", ".join(parts)
        )

    def _repr_html_(self) -> str:
        errors, shares = table(self.errors().round(4)), table(self.shares().round(2))
        page = "<p><b>{}</b></p>{}<p>Shares in percent:</p>{}"
        return markup(page, repr(self), errors, shares)

    def by_order(self) -> list[tuple[int, pd.DataFrame]]:
        """Orders with their lines of `contributions`, the remainder (0) last."""
        return self._groups(self.contributions)

    @staticmethod
    def _groups(frame: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
        return sorted(frame.groupby("order"), key=lambda item: item[0] or 99)


def _name(order: int) -> str:
    return f"{order}-body" if order else "higher"


def root_mean_square(values: np.ndarray | pd.Series) -> float:
    """Of all values, whatever their shape."""
    return float(np.sqrt(np.mean(np.square(np.asarray(values, dtype=float)))))
