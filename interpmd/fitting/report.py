"""The results of a fit: errors by subset and element, parity, shares of the body orders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import chemical_symbols
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.fitting import labels
from interpmd.fitting.checks.finding import Finding
from interpmd.fitting.kept import KeptEquations
from interpmd.fitting.shares import body_order_shares
from interpmd.markup import joined, markup, table
from interpmd.plots.comparisons import energies_and_forces
from interpmd.plots.style import png_of
from interpmd.potentials.potential import Potential
from interpmd.storage import replace_file
from interpmd.structures.files import Keys, Structures, labelled_frames, read_frames
from interpmd.structures.threads import one_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Predictions of a potential beside labels.

    Attributes:
        energy: eV, columns true and predicted, shape (frames, 2); true NaN where unlabelled.
        forces: eV/Å, shape (atoms, 3, 2), likewise.
        n_atoms: per frame, shape (frames,).
        numbers: atomic number of each atom, shape (atoms,).
        subsets: name of the subset of each frame.
        stress: eV/Å³, of the periodic frames that are labelled with it, all nine components,
            shape (labelled frames, 3, 3, 2).
        has_stress: of each frame, shape (frames,).
    """

    energy: np.ndarray
    forces: np.ndarray
    n_atoms: np.ndarray
    numbers: np.ndarray
    subsets: tuple[str, ...]
    stress: np.ndarray = field(default_factory=lambda: np.zeros((0, 3, 3, 2)))
    has_stress: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def summary(self) -> dict[str, float]:
        """Root mean square and mean absolute errors: meV, meV/Å, and meV/Å³ for stresses."""
        return _errors(self.energy, self.forces, self.stress)

    def by_subset(self) -> pd.DataFrame:
        """Errors of each subset of frames."""
        names = np.array(self.subsets)
        of_atom = np.repeat(names, self.n_atoms)
        of_stress = names[self.has_stress] if len(self.stress) else np.zeros(0, dtype=str)
        rows = {
            name: {"frames": int((names == name).sum())}
            | _errors(
                self.energy[names == name],
                self.forces[of_atom == name],
                self.stress[of_stress == name],
            )
            for name in sorted(set(self.subsets))
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("subset")

    def by_element(self) -> pd.DataFrame:
        """Force errors of each element."""
        rows = {}
        for z in sorted(set(self.numbers.tolist())):
            errors = _errors(self.energy[:0], self.forces[self.numbers == z])
            rows[chemical_symbols[z]] = {k: v for k, v in errors.items() if k.startswith("force")}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("element")

    def __repr__(self) -> str:
        tables = [self.by_subset()] if len(set(self.subsets)) > 1 else []
        rows = {"all": {"frames": len(self.energy)} | self.summary()}
        whole = pd.DataFrame.from_dict(rows, orient="index")
        tables = [table.round(3) for table in (whole, *tables, self.by_element())]
        return "\n".join(table.to_string() for table in tables)

    def _repr_html_(self) -> str:
        return joined([table(self.by_subset().round(3)), table(self.by_element().round(3))])

    def plot(self, ax: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Parity of energies and forces, with the errors above."""
        summary = self.summary()
        columns = {"energy": "energy_rmse_meV", "force": "force_rmse_meV/A"}
        errors = {what: summary[name] for what, name in columns.items() if name in summary}
        energy, forces = self.energy, self.forces.reshape(-1, 2)
        energy, forces = (v[np.isfinite(v).all(1)] for v in (energy, forces))
        return energies_and_forces(energy, forces, errors, ax)


class ErrorTable(pd.DataFrame):
    """A table that prints whole: columns that do not fit beside the others stand below them."""

    @property
    def _constructor(self) -> type[ErrorTable]:
        return ErrorTable

    def __repr__(self) -> str:
        return self.to_string(line_width=shutil.get_terminal_size().columns)


@dataclass(frozen=True, repr=False)
class FitReport:
    """A fitted potential and how good it is.

    Attributes:
        potential: the potential.
        scan: ridge strengths tried, with their validation errors.
        evaluations: "train" (a sample), "valid", "test" where given.
        seconds: time that the fit took, without the evaluations.
        sample: frames that `shares` evaluates.
        body_orders: share of each body order in the variance of energies and forces, for as many
            frames of `sample` and as high an order as take some seconds.
        findings: what was suspicious about the labels, and what could not be determined.
        equations: normal equations, where `im.fit` was asked to keep them.

    Example:
        >>> import numpy as np
        >>> from ase import Atoms
        >>> import interpmd as im
        >>> from interpmd.potentials import LennardJones
        >>> argon = im.Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.5)])
        >>> frames = [Atoms("Ar2", [[0, 0, 0], [0, 0, r]]) for r in np.linspace(3.4, 6.4, 25)]
        >>> for atoms in frames:
        ...     atoms.calc = argon.calculator()
        ...     _ = atoms.get_forces()
        >>> pairs = im.Spec(cutoff=7.0, channels=(30,), lmax=0, stretch=0.0, decay=0.0)
        >>> report = im.fit(frames, spec=pairs, isolated_energies={"Ar": 0.0}, progress=False)
        >>> bool((abs(report.evaluations["train"].energy @ [1, -1]) < 1e-4).all())  # eV
        True
    """

    potential: Potential
    scan: pd.DataFrame
    evaluations: dict[str, Evaluation]
    seconds: float
    sample: Sequence[Atoms] = ()
    body_orders: pd.DataFrame = field(default_factory=pd.DataFrame)
    findings: tuple[Finding, ...] = ()
    equations: KeptEquations | None = None

    def errors(self) -> pd.DataFrame:
        """Errors on every set: meV and meV/Å."""
        rows = {name: e.summary() for name, e in self.evaluations.items()}
        return ErrorTable(pd.DataFrame.from_dict(rows, orient="index"))

    def shares(self, most: int = 100, progress: bool = True) -> pd.DataFrame:
        """Share of each body order in the variance of energies and forces.

        The same as `body_orders`, for all orders and more frames; it can take long for large
        structures. Columns: see `interpmd.fitting.shares.body_order_shares`.

        Args:
            most: frames of the test (or training) set to evaluate.
            progress: whether to show a progress bar.
        """
        return body_order_shares(self.potential, self.sample[:most], progress=progress)

    def suspicions(self) -> pd.DataFrame:
        """What was suspicious about the labels and what was not determined, one line each."""
        rows = [
            {
                "check": f.check,
                "was": "not determined" if f.weight == "note" else "suspicious",
                "what": f.what,
                "what to do": f.advice,
                "frames": len(f.frames),
            }
            for f in self.findings
        ]
        return pd.DataFrame(rows, columns=["check", "was", "what", "what to do", "frames"])

    def plot(self) -> Sequence[Axes]:
        """Parity on the test set; on the validation or training set if there is none."""
        name = next(n for n in ("test", "valid", "train") if n in self.evaluations)
        axes = self.evaluations[name].plot()
        axes[0].figure.suptitle(f"{name} set")
        return axes

    def save(self, folder: str | Path) -> None:
        """Write the potential, the errors as JSON and the parity plot.

        Raises:
            Others: see `Potential.save`.
        """
        folder = Path(folder)
        self.potential.save(folder)
        report = {
            "seconds": round(self.seconds, 1),
            "errors": {name: e.summary() for name, e in self.evaluations.items()},
            "by_subset": {n: e.by_subset().to_dict("index") for n, e in self.evaluations.items()},
            "by_element": {n: e.by_element().to_dict("index") for n, e in self.evaluations.items()},
            "body_orders": self.body_orders.to_dict("index"),
            "findings": self.suspicions().to_dict("records"),
            "ridge_scan": self.scan.to_dict("records"),
        }
        for name in ("report.json", "parity.png"):  # of the potential that was there
            (folder / name).unlink(missing_ok=True)
        replace_file(folder / "report.json", json.dumps(report, indent=1) + "\n")
        replace_file(folder / "parity.png", png_of(self.plot()[0], dpi=130))

    def __str__(self) -> str:
        weights = self.potential.card.provenance.get("weights")
        return "\n".join(
            [
                f"{self.potential}",
                f"{weights} weights, fitted in {self.seconds:.0f} s",
                f"{self.errors().round(2)}",
                *([self.body_orders.round(3).to_string()] if len(self.body_orders) else []),
                *self._said("suspicious", "warning"),
                *self._said("not determined", "note"),
            ]
        )

    __repr__ = __str__

    def _said(self, title: str, weight: str) -> list[str]:
        """Findings of one weight under their title; nothing if there are none."""
        said = [f"- {finding}" for finding in self.findings if finding.weight == weight]
        return [f"{title}:", *said] if said else []

    def _repr_html_(self) -> str:
        tables = joined(
            markup("<h4>{}</h4>{}", name, table(evaluation.by_subset().round(2)))
            for name, evaluation in self.evaluations.items()
        )
        orders = ""
        if len(self.body_orders):
            frames = self.body_orders.attrs.get("frames")
            orders = markup(
                "<h4>body orders ({} frames)</h4>{}"
                "<p>Shares of the variance sum to one; they lie outside 0 to 1 where orders "
                "cancel, which whole molecules alone do not prevent.</p>",
                frames,
                table(self.body_orders.round(3)),
            )
        errors = table(self.errors().round(2))
        said = [*self._said("suspicious", "warning"), *self._said("not determined", "note")]
        words = markup("<pre>{}</pre>", "\n".join(said)) if said else ""
        return markup("<pre>{}</pre>{}{}{}{}", self.potential, errors, words, tables, orders)


def evaluate(
    potential: Potential,
    frames: Structures,
    progress: bool = False,
    *,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
) -> Evaluation:
    """Predictions of a potential beside the labels of frames.

    Args:
        potential: the potential.
        frames: labelled frames, or files of them; see `read_frames`. Missing labels are left out.
        progress: whether to show a progress bar.
        energy_key, forces_key, stress_key: names of the labels where ASE does not know them, such
            as "REF_energy"; see `interpmd.structures.files.keys`.

    Raises:
        LabelError, StructureFileError: see `fit`.
    """
    arguments.of_class(Potential, potential=potential)
    keys = Keys(energy_key, forces_key, stress_key)
    frames = labelled_frames(read_frames(frames), keys)
    labels.check_labels(frames, "frames to evaluate")
    predicted_energy, predicted_forces, stresses = [], [], []
    has_stress = np.array([labels.has_stress(atoms) for atoms in frames])
    with one_thread():
        bar = tqdm(frames, desc="evaluate", unit="frame", disable=not progress)
        for atoms, stress in zip(bar, has_stress, strict=True):
            predicted = potential.predict_unwatched(atoms, stress=bool(stress))
            if predicted.stress is not None:
                both = (labels.stress_of(atoms), predicted.stress[0].double().cpu().numpy())
                stresses.append(np.stack(both, axis=-1))
            predicted_energy.append(float(predicted.energy))
            predicted_forces.append(predicted.forces.double().cpu().numpy())
    return Evaluation(
        energy=np.column_stack([labels.energies(frames), predicted_energy]),
        forces=np.stack([labels.forces(frames), np.concatenate(predicted_forces)], axis=-1),
        n_atoms=np.array([len(a) for a in frames]),
        numbers=np.concatenate([a.numbers for a in frames]),
        subsets=tuple(labels.subset_of(a) for a in frames),
        stress=np.array(stresses).reshape(-1, 3, 3, 2),
        has_stress=has_stress,
    )


def _errors(
    energy: np.ndarray, forces: np.ndarray, stress: np.ndarray | None = None
) -> dict[str, float]:
    errors = {}
    quantities = [("energy", "meV", energy), ("force", "meV/A", forces)]
    if stress is not None:
        quantities.append(("stress", "meV/A^3", stress))
    for name, unit, values in quantities:
        if values.size:
            misfit = 1e3 * (values[..., 1] - values[..., 0])
            misfit = misfit[np.isfinite(misfit)]
            if not misfit.size:
                continue
            errors[f"{name}_rmse_{unit}"] = float(np.sqrt((misfit**2).mean()))
            errors[f"{name}_mae_{unit}"] = float(np.abs(misfit).mean())
    return errors
