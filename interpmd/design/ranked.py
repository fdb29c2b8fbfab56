"""Conformers in order: how sure that is, why one lies below another, what a reference says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.units import kB
from jaxtyping import Float
from scipy.stats import norm

from interpmd import arguments
from interpmd.attribution import Energy, Explanation
from interpmd.attribution.methods.dispatch import explain
from interpmd.design.geometry import relaxed
from interpmd.errors import DesignError
from interpmd.levels import resolve
from interpmd.plots.design import levels
from interpmd.potentials import Potential
from interpmd.potentials.uncertainty import posterior
from interpmd.reference.calculator import as_calculator
from interpmd.units import DISPLAY, number_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Conformers:
    """Conformers of a molecule, the lowest first.

    Attributes:
        structures: relaxed, with energies (eV) and forces (eV/Å) of the model as results.
        sources: "seed", "turning" or "hopping" for each: what found it first.
        smiles: of the molecule.
        level: name of the model.
        model: what relaxed them.
        lost: seeds that fell apart or did not converge.
        fmax: largest force in eV/Å that was left.
    """

    structures: tuple[Atoms, ...]
    sources: tuple[str, ...]
    smiles: str
    level: str
    model: str | Calculator | Potential
    lost: int
    fmax: float

    def __len__(self) -> int:
        return len(self.structures)

    def __getitem__(self, number: int) -> Atoms:
        return self.structures[number]

    @property
    def energies(self) -> Float[np.ndarray, " conformers"]:
        """Above the lowest, in eV."""
        found = np.array([atoms.get_potential_energy() for atoms in self.structures])
        return found - found[0]

    @property
    def deviations(self) -> Float[np.ndarray, "conformers samples"] | None:
        """Deviations of `energies` in joint samples of the posterior, in eV; None for a model
        without one."""
        if not isinstance(self.model, Potential):
            return None
        drawn = posterior(self.model, self.model.batch(list(self.structures)))
        if drawn is None:
            return None
        samples = drawn.energies.numpy()
        return samples - samples[:1]

    @property
    def energies_std(self) -> Float[np.ndarray, " conformers"] | None:
        """Error bars of `energies` in eV; None for a model without a posterior."""
        drawn = self.deviations
        return None if drawn is None else np.sqrt((drawn**2).mean(1))

    def certain(self, lower: int, upper: int) -> float | None:
        """How likely the one lies below the other under the posterior; None without one."""
        drawn = self.deviations
        if drawn is None:
            return None
        between = drawn[upper] - drawn[lower]
        bar = float(np.sqrt((between**2).mean()))
        return float(norm.cdf((self.energies[upper] - self.energies[lower]) / max(bar, 1e-12)))

    def table(self, unit: str = "kcal/mol", temperature: float = 298.15) -> pd.DataFrame:
        """Energies above the lowest with error bars, populations and sources.

        Args:
            unit: "eV", "meV", "kcal/mol" or "kJ/mol".
            temperature: of the populations in K, by energies alone, each conformer once.
        """
        arguments.one_of(DISPLAY, unit=unit)
        arguments.positive(temperature=temperature)
        bars, factor = self.energies_std, DISPLAY[unit]
        weights = np.exp(-self.energies / (kB * temperature))
        return pd.DataFrame(
            {
                "energy": factor * self.energies,
                "std": np.nan if bars is None else factor * bars,
                "population": weights / weights.sum(),
                "source": self.sources,
            }
        )

    def why(self, upper: int, lower: int = 0, gauge: str | None = None) -> Explanation:
        """Why one conformer lies above another: rows of its energy less rows of the other's.

        Args:
            upper, lower: numbers of the conformers.
            gauge: "groups", "molecules" or "atoms"; what suits if None.

        Raises:
            DesignError: no such conformer, or the gauge "internal", in which energies have rows
                only along a path (`ledger`).
            GaugeError: the gauge does not suit the molecule.
        """
        for number in (upper, lower):
            if not 0 <= number < len(self):
                raise DesignError(f"there is no conformer {number}; there are {len(self)}")
        if gauge == "internal":
            raise DesignError(
                "internal coordinates have no energies of their own; ask ledger(model, frames, "
                "gauge='internal') along a path between the two"
            )
        model = self.model
        if not isinstance(model, Potential):
            model = as_calculator(model)
        asked = {} if gauge is None else {"gauge": gauge}
        return explain(
            model, self.structures[upper], Energy(), reference=self.structures[lower], **asked
        )

    def checked(
        self, level: str | Calculator | Potential, count: int = 5, unit: str = "kcal/mol"
    ) -> pd.DataFrame:
        """The lowest conformers relaxed by a reference, beside the model.

        Args:
            level: level of theory, calculator or potential.
            count: how many.
            unit: of energies.

        Returns:
            energy and std of the model, reference (above the reference's lowest of these), error,
            within (the error is no more than two error bars; empty without them), moved (largest
            displacement of an atom in Å).
        """
        arguments.count(count=count)
        arguments.one_of(DISPLAY, unit=unit)
        calculator = as_calculator(level.calculator() if isinstance(level, Potential) else level)
        resolve(calculator)
        count, bars = min(count, len(self)), self.energies_std
        energies, moved = [], []
        for atoms in self.structures[:count]:
            there = relaxed(_bare(atoms), calculator, self.fmax)
            energies.append(there.energy)
            moved.append(_moved(atoms, there.atoms))
        reference = np.array(energies) - min(energies)
        own = self.energies[:count]
        error = (own - own[0]) - (reference - reference[0])
        frame = pd.DataFrame({"energy": own, "std": np.nan if bars is None else bars[:count]})
        frame["reference"], frame["error"] = reference, error
        frame *= DISPLAY[unit]
        if bars is not None:
            frame["within"] = np.abs(error) <= 2 * bars[:count] + 1e-9
        frame["moved"] = moved
        return frame

    def plot(self, unit: str = "kcal/mol", ax: Axes | None = None) -> Axes:
        """Energies above the lowest, as levels with error bars."""
        table = self.table(unit)
        bars = None if self.energies_std is None else table["std"].to_numpy()
        return levels(table["energy"].to_numpy(), bars, unit, f"{self.smiles}, {self.level}", ax)

    def __repr__(self) -> str:
        highest = number_sign(float(self.energies[-1]) * DISPLAY["kcal/mol"], ".1f")
        beyond = len(self) - self.sources.count("seed")
        return (
            f"{len(self)} conformer{'s' * (len(self) != 1)} of {self.smiles} by {_by(self)}, up to "
            f"{highest} kcal/mol; {beyond} found beyond the guesses, {self.lost} "
            f"guess{'es' * (self.lost != 1)} lost"
        )


def _by(found: Conformers) -> str:
    """The level of theory, and whether a potential stands for it."""
    if isinstance(found.model, Potential):
        return f"a potential of {found.model.card.level or 'its own'}"
    return found.level


def _bare(atoms: Atoms) -> Atoms:
    bare = Atoms(atoms.numbers, atoms.positions)
    bare.info |= {k: v for k, v in atoms.info.items() if k == "charge"}
    return bare


def _moved(before: Atoms, after: Atoms) -> float:
    """Largest displacement of an atom in Å after the best superposition."""
    from ase.build import minimize_rotation_and_translation

    placed = after.copy()
    minimize_rotation_and_translation(before, placed)
    return float(np.linalg.norm(placed.positions - before.positions, axis=1).max())
