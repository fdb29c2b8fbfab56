"""What came out of a fit: errors by subset and element, parity, shares of the body orders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from ase.data import chemical_symbols
from tqdm.auto import tqdm

from interpmd.fitting import labels
from interpmd.potentials.potential import Potential

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Evaluation:
    """Predictions of a potential beside labels.

    Attributes:
        energy: eV, columns true and predicted, shape (frames, 2).
        forces: eV/A, shape (atoms, 3, 2).
        n_atoms: per frame, shape (frames,).
        numbers: atomic number of each atom, shape (atoms,).
        subsets: name of the subset of each frame.
    """

    energy: np.ndarray
    forces: np.ndarray
    n_atoms: np.ndarray
    numbers: np.ndarray
    subsets: tuple[str, ...]

    def summary(self) -> dict[str, float]:
        """Root mean square and mean absolute errors: meV for energies, meV/A for forces."""
        return _errors(self.energy, self.forces)

    def by_subset(self) -> pd.DataFrame:
        """Errors of each subset of frames."""
        names = np.array(self.subsets)
        of_atom = np.repeat(names, self.n_atoms)
        rows = {
            name: {"frames": int((names == name).sum())}
            | _errors(self.energy[names == name], self.forces[of_atom == name])
            for name in sorted(set(self.subsets))
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("subset")

    def by_element(self) -> pd.DataFrame:
        """Force errors of each element."""
        rows = {}
        for z in sorted(set(self.numbers.tolist())):
            found = _errors(self.energy[:0], self.forces[self.numbers == z])
            rows[chemical_symbols[z]] = {k: v for k, v in found.items() if k.startswith("force")}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("element")

    def plot(self, ax: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Parity of energies and forces, with the errors above."""
        import matplotlib.pyplot as plt

        from interpmd.views.plots import parity

        if ax is None:
            ax = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")[1]
        summary = self.summary()
        shift = np.median(self.energy[:, 0]) if len(self.energy) else 0.0
        panels = (
            (self.energy - shift, "energy - median (eV)", summary.get("energy_rmse_meV"), "meV"),
            (self.forces.reshape(-1, 2), "force (eV/Å)", summary["force_rmse_meV/A"], "meV/Å"),
        )
        for axes, (values, label, error, unit) in zip(ax, panels, strict=True):
            title = "no labels" if error is None else f"RMSE {error:.2f} {unit}"
            parity({"test": (values[:, 0], values[:, 1])}, label, title=title, ax=axes)
        return ax


@dataclass(frozen=True, repr=False)
class FitReport:
    """A fitted potential and how good it is.

    Attributes:
        potential: the potential.
        scan: ridge strengths tried, with their validation errors.
        evaluations: "train" (a sample), "valid", "test" where given.
        seconds: time that the fit took, without the evaluations.
        sample: frames that `shares` looks at.
    """

    potential: Potential
    scan: pd.DataFrame
    evaluations: dict[str, Evaluation]
    seconds: float
    sample: Sequence[Atoms] = ()

    def errors(self) -> pd.DataFrame:
        """Errors on every set: meV and meV/A."""
        rows = {name: e.summary() for name, e in self.evaluations.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def shares(self, most: int = 100) -> pd.DataFrame:
        """Share of each degree of the expansion in the variance of energies and forces.

        A product of degree nu reaches up to body order nu + 1 and, where a neighbour stands in it
        twice, below; `Potential.decompose` tells the pure body orders of one structure. Shares
        can be negative or above one where contributions cancel; they sum to one.

        Args:
            most: frames of the test (or training) set that are looked at.
        """
        from interpmd.fitting.shares import degree_shares

        return degree_shares(self.potential, self.sample[:most])

    def plot(self) -> Sequence[Axes]:
        """Parity on the test set, or on the best set that is there."""
        name = next(n for n in ("test", "valid", "train") if n in self.evaluations)
        axes = self.evaluations[name].plot()
        axes[0].figure.suptitle(f"{name} set")
        return axes

    def save(self, folder: str | Path) -> None:
        """Write the potential, the errors as JSON and the parity plot."""
        import matplotlib.pyplot as plt

        folder = Path(folder)
        self.potential.save(folder)
        report = {
            "seconds": round(self.seconds, 1),
            "errors": {name: e.summary() for name, e in self.evaluations.items()},
            "by_subset": {n: e.by_subset().to_dict("index") for n, e in self.evaluations.items()},
            "by_element": {n: e.by_element().to_dict("index") for n, e in self.evaluations.items()},
            "ridge_scan": self.scan.to_dict("records"),
        }
        (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
        figure = self.plot()[0].figure
        figure.savefig(folder / "parity.png", dpi=130)
        plt.close(figure)

    def __str__(self) -> str:
        weights = self.potential.card.provenance.get("weights")
        return "\n".join(
            [
                f"{self.potential}",
                f"{weights} weights, fitted in {self.seconds:.0f} s",
                self.errors().round(2).to_string(),
            ]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        tables = [
            f"<h4>{n}</h4>{e.by_subset().round(2).to_html()}" for n, e in self.evaluations.items()
        ]
        return f"<pre>{self.potential}</pre>{self.errors().round(2).to_html()}{''.join(tables)}"


def evaluate(
    potential: Potential, frames: Sequence[Atoms] | str | Path, progress: bool = False
) -> Evaluation:
    """Predictions of a potential beside the labels of frames.

    Args:
        potential: the potential.
        frames: labelled frames, or a file that ASE reads.
        progress: whether to show a progress bar.
    """
    frames = labels.read_frames(frames)
    labels.check_labels(frames, "frames to evaluate")
    predicted_energy, predicted_forces = [], []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors: more threads are slower
    try:
        for atoms in tqdm(frames, desc="evaluate", unit="frame", disable=not progress):
            found = potential.predict(atoms)
            predicted_energy.append(float(found.energy))
            predicted_forces.append(found.forces.double().cpu().numpy())
    finally:
        torch.set_num_threads(threads)
    return Evaluation(
        energy=np.column_stack([labels.energies(frames), predicted_energy]),
        forces=np.stack([labels.forces(frames), np.concatenate(predicted_forces)], axis=-1),
        n_atoms=np.array([len(a) for a in frames]),
        numbers=np.concatenate([a.numbers for a in frames]),
        subsets=tuple(labels.subset_of(a) for a in frames),
    )


def _errors(energy: np.ndarray, forces: np.ndarray) -> dict[str, float]:
    found = {}
    for name, unit, values in (("energy", "meV", energy), ("force", "meV/A", forces)):
        if values.size:
            misfit = 1e3 * (values[..., 1] - values[..., 0])
            found[f"{name}_rmse_{unit}"] = float(np.sqrt((misfit**2).mean()))
            found[f"{name}_mae_{unit}"] = float(np.abs(misfit).mean())
    return found
