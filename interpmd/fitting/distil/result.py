"""What a distillation gives: shares, curves with bands, and ways to run them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.arguments import meant
from interpmd.errors import ArgumentError
from interpmd.fitting.distil.base import Block, CurveShape
from interpmd.fitting.distil.build import Resolution
from interpmd.fitting.distil.calculator import DistilledCalculator
from interpmd.fitting.distil.equations import LinearModel, Solution
from interpmd.fitting.distil.openmm_system import system_of
from interpmd.fitting.distil.teacher import taught
from interpmd.fitting.distil.uf3 import uf3_text
from interpmd.markup import joined, markup, table
from interpmd.plots.distilled import distilled_curve, distilled_overview
from interpmd.plots.style import png_of
from interpmd.storage import replace_file
from interpmd.structures.files import one_structure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Curves that a picture of all shows.
SHOWN = 6

#: Terms that are called otherwise in sentences.
WORDS = {"nonbonded": "pairs without bonds", "cross": "cross terms"}

#: What the rest is called.
REMAINDER = "remainder"


@dataclass(frozen=True, eq=False)
class Curve:
    """One curve of a distillation.

    Attributes:
        label: "O–H", "angle C0–O5–H11 (×2)".
        term: the term that it belongs to.
        coordinate: what it depends on, with its unit.
        x: points over the range of the frames.
        energy: eV; of bonds, angles and torsions above the lowest that frames reach.
        std: how much the difference from the lowest point of the same range of values changes
            with the frames of the fit, one standard deviation in eV; NaN where no frame is.
        count: values of the frames around each point.
        force: root mean square of the forces that it makes on an atom's component, eV/Å.
        names: of all coordinates that share it.
    """

    label: str
    term: str
    coordinate: str
    x: Float[np.ndarray, " points"]
    energy: Float[np.ndarray, " points"]
    std: Float[np.ndarray, " points"]
    count: Int[np.ndarray, " points"]
    force: float
    names: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One line per point: energy_eV, std_eV, in_data."""
        data = {"energy_eV": self.energy, "std_eV": self.std, "in_data": self.count}
        return pd.DataFrame(data, index=pd.Index(self.x, name=self.coordinate))

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curve with two standard deviations to either side, hatched where no frame is."""
        return distilled_curve(
            self.x, self.energy, self.std, self.count, self.coordinate, self.label, ax
        )

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())


@dataclass(frozen=True, eq=False, repr=False)
class Distilled:
    """A model in a few curves; see `interpmd.distil`.

    Attributes:
        teacher: what was distilled.
        frames: how many were used.
        seconds: of the fit, without the evaluation of the teacher.
        offset: eV by atomic number, added to energies, of which forces say nothing.
        resolution: how fine the curves are.
        model, solution: terms and their coefficients.
        example: one of the frames.
    """

    teacher: str
    frames: int
    seconds: float
    offset: dict[int, float]
    resolution: Resolution
    model: LinearModel = field(repr=False)
    solution: Solution = field(repr=False)
    example: Atoms = field(repr=False)

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms in the order in which they were fitted."""
        return tuple(stage.name for stage in self.solution.stages)

    @property
    def shares(self) -> pd.DataFrame:
        """What each term adds to the share of the variance of the forces; they sum to one.

        Columns: share and together (on frames that the fit did not see, where there are enough),
        share_of_fit (on those of the fit), force_rmse_meV/A (what is left, on the former),
        coefficients.
        """
        fit, test = self.solution.left
        seen = test if self.solution.tested else fit
        rows = self.solution.rows[1 if self.solution.tested else 0]
        sizes = [0, *(len(s.coefficients) for s in self.solution.stages)]
        columns = {
            "share": [*(-np.diff(seen) / seen[0]), seen[-1] / seen[0]],
            "together": [*(1 - seen[1:] / seen[0]), 1.0],
            "share_of_fit": [*(-np.diff(fit) / fit[0]), fit[-1] / fit[0]],
            "force_rmse_meV/A": [*(1000 * np.sqrt(seen[1:] / rows)), 0.0],
            "coefficients": [*np.diff(sizes), 0],
        }
        names = pd.Index([*self.terms, REMAINDER], name="term")
        return pd.DataFrame(columns, index=names).astype({"coefficients": int})

    @property
    def curves(self) -> list[Curve]:
        """All curves of one coordinate, of the fit of all terms together."""
        return self.curves_of(self.terms[-1])

    def curves_of(self, term: str) -> list[Curve]:
        """The curves of the fit that ends with a term: best pair curves are those of "pairs".

        Raises:
            ArgumentError: there is no such term.
        """
        coefficients = self._coefficients(term)
        stage = self.solution.stages[self.terms.index(term)]
        deviations = self.model.full(stage.deviations)
        curves = []
        for number, one in enumerate(self.model.terms):
            if self.terms.index(self.model.stages[number]) > self.terms.index(term):
                continue
            for shape in one.shapes():
                force = self._force(number, coefficients[number], shape)
                curve = _curve(shape, coefficients[number], deviations[number])
                curves.append(Curve(label=shape.label, term=self.model.stages[number],
                                    coordinate=shape.coordinate, x=shape.x, count=shape.count,
                                    energy=curve[0], std=curve[1], force=force,
                                    names=shape.names))  # fmt: skip
        return curves

    def curve(self, label: str, term: str | None = None) -> Curve:
        """The curve of a name, as "O-H" or "angle C1-O0-H8", of the fit that ends with a term.

        Coordinates that share a curve, and names read backwards, are names of it too.

        Raises:
            ArgumentError: there is no such curve or term.
        """
        wanted = label.replace("-", "–")
        kind, _, atoms = wanted.rpartition(" ")
        backwards = f"{kind} {'–'.join(reversed(atoms.split('–')))}".strip()
        known = self.curves if term is None else self.curves_of(term)
        for name in (wanted, backwards):
            for curve in known:
                if name == curve.label or name in curve.names:
                    return curve
        labels = [curve.label for curve in known]
        raise ArgumentError(
            f"there is no curve {label!r}{meant(wanted, labels)}; there are {', '.join(labels)}"
        )

    def split(self, atoms: Atoms, model: Any = None) -> dict[str, Float[np.ndarray, "atoms 3"]]:
        """Forces in eV/Å of each term, which add up.

        Args:
            atoms: a structure.
            model: as of `distil`; with it what the terms lack stands under "remainder", and all
                together are exactly its forces.

        Raises:
            As `distil` for a structure or model that cannot be used.
        """
        atoms = one_structure(atoms)
        block, coefficients = Block.of([atoms]), self._coefficients(self.terms[-1])
        forces = {name: np.zeros((len(atoms), 3)) for name in self.terms}
        for name, term, c in zip(self.model.stages, self.model.terms, coefficients, strict=True):
            flat = term.entries(block).forces_for(c, 3 * len(atoms))
            forces[name] = forces[name] + flat.reshape(-1, 3)
        if model is not None:
            forces[REMAINDER] = taught(model, [atoms])[1][0] - sum(forces.values())
        return forces

    def calculator(self, term: str | None = None) -> DistilledCalculator:
        """A calculator of ASE: energies and forces of all terms, or of those up to one.

        Raises:
            ArgumentError: there is no such term.
        """
        coefficients = self._coefficients(term or self.terms[-1])
        return DistilledCalculator(self.model.terms, coefficients, self.offset)

    def write_uf3(self, path: str | Path, term: str | None = None) -> str:
        """Write pair curves and triplets as a file for LAMMPS, and tell its commands.

        Energies in LAMMPS lack the offset of the elements.

        Args:
            path: the file to write.
            term: the fit that ends with it; all terms if None.

        Returns:
            The lines of an input script that use it (units metal).

        Raises:
            ArgumentError: there are no pairs, or terms that UF3 does not have.
            OutputError: the file cannot be written.
        """
        last = term or self.terms[-1]
        text, commands = uf3_text(self.model, self._coefficients(last), self._up_to(last), path)
        replace_file(path, text)
        return commands

    def to_openmm(self, atoms: Atoms | None = None, path: str | Path | None = None) -> Any:
        """Bonds, angles, torsions, pairs without bonds and cross terms as a System of OpenMM.

        Energies in OpenMM lack the offset of the elements.

        Args:
            atoms: the molecules, with the atoms of the frames in their order; of a periodic
                structure the cell is taken along. The first frame if None.
            path: a file to which the System is written as XML.

        Raises:
            ArgumentError: there are terms that are no valence terms, or other atoms.
            MissingPackageError: OpenMM is not installed.
            OutputError: the file cannot be written.
        """
        atoms = self.example if atoms is None else one_structure(atoms)
        coefficients = self._coefficients(self.terms[-1])
        system, xml = system_of(self.model, coefficients, atoms, with_xml=path is not None)
        if path is not None:
            replace_file(path, xml)
        return system

    def to_frame(self) -> pd.DataFrame:
        """All curves, one line per point: term, curve, x, energy_eV, std_eV, in_data."""
        parts = [
            curve.to_frame()
            .rename_axis("x")
            .reset_index()
            .assign(term=curve.term, curve=curve.label, coordinate=curve.coordinate)
            for curve in self.curves
        ]
        names = ["term", "curve", "coordinate", "x", "energy_eV", "std_eV", "in_data"]
        if not parts:
            return pd.DataFrame(columns=pd.Index(names))
        return pd.concat(parts, ignore_index=True).loc[:, names]

    def plot(self, ax: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Shares, and the curves that make the largest forces."""
        shares = self.shares
        largest = sorted(self.curves, key=lambda c: -c.force)[:SHOWN]
        return distilled_overview(
            dict(zip(shares.index, 100 * shares["share"], strict=True)),
            [(c.x, c.energy, c.std, c.count, c.coordinate, c.label) for c in largest],
            self.sentence(),
            ax,
        )

    def sentence(self) -> str:
        """Shares in words: "71 % bonds, 87 % with angles; the rest, 13 %, is none of these"."""
        shares = 100 * self.shares["together"]
        names = [WORDS.get(name, name) for name in self.terms]
        words = [f"{_percent(shares.iloc[0])} {names[0]}"]
        words += [
            f"{_percent(shares[term])} with {name}"
            for term, name in zip(self.terms[1:], names[1:], strict=True)
        ]
        rest = _percent(100 * self.shares.loc[REMAINDER, "share"])
        return f"{', '.join(words)}; the rest, {rest}, is none of these"

    def __str__(self) -> str:
        where = f"{self.solution.tested} of them for the test" if self.solution.tested else (
            "too few for a test: shares are of the frames of the fit"
        )  # fmt: skip
        return "\n".join(
            [
                f"{self.teacher}, distilled: {self.sentence()}",
                f"{self.frames} frame{'s' * (self.frames != 1)}, {where}; {self.model.size} "
                f"coefficients in {self.seconds:.1f} s",
                self.shares.round({"share": 4, "together": 4, "share_of_fit": 4}).to_string(
                    float_format=lambda v: f"{v:.4g}"
                ),
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shares = self.shares
        percent = shares[["share", "together", "share_of_fit"]].mul(100).round(2)
        shown = percent.add_suffix(" (%)").join(
            shares[["force_rmse_meV/A", "coefficients"]].round(1)
        )
        curves = pd.DataFrame(
            {
                "term": [c.term for c in self.curves],
                "force (eV/Å)": [round(c.force, 3) for c in self.curves],
            },
            index=pd.Index([c.label for c in self.curves], name="curve"),
        ).sort_values("force (eV/Å)", ascending=False)
        return joined(
            [
                markup("<p><b>{}</b>, distilled: {}</p>", self.teacher, self.sentence()),
                table(shown),
                markup("<p>{} frames, {} s</p>", self.frames, f"{self.seconds:.1f}"),
                table(curves.head(12)) if len(curves) else "",
            ]
        )

    def _up_to(self, term: str) -> int:
        """How many of the model's terms a fit has that ends with one of its orders."""
        if term not in self.terms:
            raise ArgumentError(
                f"there is no term {term!r}{meant(term, self.terms)}; there are "
                f"{', '.join(self.terms)}"
            )
        return max(k for k, name in enumerate(self.model.stages) if name == term) + 1

    def _coefficients(self, term: str) -> list[np.ndarray]:
        """Coefficients of each term of the model, of the fit that ends with one of its orders."""
        self._up_to(term)
        return self.model.full(self.solution.stages[self.terms.index(term)].coefficients)

    def _force(self, number: int, coefficients: np.ndarray, shape: CurveShape) -> float:
        """Root mean square force of a curve on the frames of the fit."""
        own = np.flatnonzero(np.abs(shape.matrix).any(0))
        columns = np.flatnonzero(self.model.active)
        first = self.model.offsets[number]
        place = np.searchsorted(columns, first + own)
        c = coefficients[own]
        square = float(c @ self.solution.normal[np.ix_(place, place)] @ c)
        return float(np.sqrt(max(square, 0.0) / max(self.solution.rows[0], 1)))


def _percent(share: float) -> str:
    """A share with as many digits as tell it from 0 and from 100."""
    return f"{share:.1f} %" if share > 99 or abs(share) < 10 else f"{share:.0f} %"


def _curve(
    shape: CurveShape, coefficients: np.ndarray, deviations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Energy and standard deviation.

    Forces tell differences of energies, and only where there are frames: so a curve that does not
    vanish at a cutoff begins at its lowest point, and the deviation is that from the lowest point
    of the same range of values.
    """
    energy = shape.matrix @ coefficients
    seen = shape.count > 0
    if np.abs(shape.matrix[-1]).any() and seen.any():  # else it vanishes at the cutoff
        energy = energy - energy[seen].min()
    starts = np.flatnonzero(np.diff(seen, prepend=False) & seen)
    std = np.full(len(energy), np.nan)
    for start in starts:
        stop = start + int(np.argmin(np.append(seen[start:], False)))
        lowest = start + int(np.argmin(energy[start:stop]))
        differences = shape.matrix[start:stop] - shape.matrix[lowest]
        std[start:stop] = np.sqrt(((differences @ deviations) ** 2).sum(1))
    return energy, std
