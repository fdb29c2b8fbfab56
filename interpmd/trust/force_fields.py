"""Potentials beside force fields: the same molecule, the same reference, what chemists ask.

Three questions to every model. **Forces** on the same frames. **Conformers**: every model goes
downhill from the reference's minima to its own, and the energies of its own minima are compared.
**Torsion**: along a dihedral that is held, all else is relaxed by every model. The zero of energy
is each model's own: of a set of energies the mean is taken away, so that what remains are
differences between geometries of one molecule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd import arguments
from interpmd.errors import ArgumentError, CalculationError, LabelError, MissingPackageError
from interpmd.fitting import labels
from interpmd.fitting.report import FitReport
from interpmd.levels.classical import FORCE_FIELDS, KCAL, ForceField
from interpmd.levels.names import resolve
from interpmd.markup import markup, table
from interpmd.plots.force_fields import plot_force_fields
from interpmd.potentials.potential import Potential
from interpmd.reference.calculator import as_calculator
from interpmd.reference.labelling import label
from interpmd.reference.store import LEVEL_KEY
from interpmd.reference.torsions import held_at, relaxed, torsion_profile
from interpmd.structures.charges import for_calculators
from interpmd.structures.files import Structures, read_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Minima are different where their energies are further apart than this, in eV.
SAME = 2e-3

Model = Potential | FitReport | Calculator | str


@dataclass(frozen=True, eq=False, repr=False)
class ForceFieldComparison:
    """Errors of potentials and force fields for one molecule.

    Attributes:
        formula: of the molecule.
        reference: level of theory that counts as true.
        forces: error of the forces of every model in eV/Å, all components of all frames, shape
            (components,) each, by model; empty where no frames were given.
        true_forces: what the reference says, shape (components,).
        conformers: relative energies of minima in kcal/mol, one column a model, the reference
            first; their mean is zero.
        profile: the same along the dihedral; the index is the angle in degrees.
    """

    formula: str
    reference: str
    forces: Mapping[str, np.ndarray]
    true_forces: np.ndarray
    conformers: pd.DataFrame
    profile: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Errors, one row a model.

        Columns, NaN where there is nothing to compare: force_mae_eV_A and force_rmse_eV_A of
        components; conformers_mae_kcal and torsion_mae_kcal of relative energies, mean absolute
        errors in kcal/mol.
        """
        rows = {}
        for name in self._models:
            off = np.asarray(self.forces.get(name, []))
            rows[name] = {
                "force_mae_eV_A": np.abs(off).mean() if off.size else np.nan,
                "force_rmse_eV_A": np.sqrt((off**2).mean()) if off.size else np.nan,
                "conformers_mae_kcal": self._mae(self.conformers, name),
                "torsion_mae_kcal": self._mae(self.profile, name),
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")

    def plot(self, ax: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Force errors, energies of conformers, and the torsion profile; three axes."""
        return plot_force_fields(
            self.to_frame(), self.conformers, self.profile, self.reference, self.formula, ax
        )

    def __repr__(self) -> str:
        head = f"ForceFieldComparison of {self.formula} against {self.reference}"
        return f"{head}\n{self.to_frame().round(3).to_string()}"

    def _repr_html_(self) -> str:
        head = f"{self.formula} against {self.reference}"
        return markup("<p>{}</p>{}", head, table(self.to_frame().round(3)))

    @property
    def _models(self) -> list[str]:
        names = [*self.forces, *self.conformers.columns[1:], *self.profile.columns[1:]]
        return list(dict.fromkeys(names))

    def _mae(self, energies: pd.DataFrame, name: str) -> float:
        if name not in energies or len(energies) < 2:
            return np.nan
        return float((energies[name] - energies[self.reference]).abs().mean())


def compare_force_fields(
    frames: Structures,
    models: Mapping[str, Model] | Sequence[Model] | Model = (),
    reference: str | Calculator = "gfn2-xtb",
    *,
    minima: Structures | None = None,
    dihedral: Sequence[int] | None = None,
    profile: Structures | None = None,
    angles: int = 12,
    relax: bool = True,
    beside: str | Sequence[str] | None = None,
) -> ForceFieldComparison:
    """Forces, conformers and a torsion profile of one molecule, by models and by a reference.

    Args:
        frames: geometries of the molecule, on which forces are compared. Labels that name the
            reference as their level (`im.label` writes it) are taken; else they are computed:
            frames of a run hold the forces of what moved them.
        models: what is judged: potentials, ASE calculators, names ("mmff94", "uff", "gfn-ff", or a
            level of theory), by a name of your own or in a list.
        reference: what counts as true: a level of theory, or an ASE calculator.
        minima: minima of the reference, from which every model goes to its own; the `frames`
            relaxed by the reference, those of one energy once, if None.
        dihedral: four atoms of the torsion profile; none if None.
        profile: structures along it, relaxed by the reference and labelled, with `info["angle"]`
            (`interpmd.torsion_profile`); made if None and `dihedral` is given.
        angles: how many, if it is made.
        relax: whether every model goes to its own minima; if not, energies are compared at the
            geometries of the reference, which asks less of a potential: it may have holes beside
            them, into which a relaxation falls.
        beside: force fields that are judged as well; all that are installed if None.

    Raises:
        ArgumentError: frames of several molecules, two models of one name, no such force field.
        LabelError: a profile without angles.
        CalculationError: a force field has no parameters for the molecule (one that was not asked
            for is left out).
    """
    beside = None if beside is None else arguments.words_of(beside, "beside")
    for each in beside or ():
        arguments.one_of(tuple(FORCE_FIELDS), beside=each)
    structures = list(read_frames(frames))
    if not structures:
        raise ArgumentError("compare_force_fields needs at least one structure")
    given = None if minima is None else read_frames(minima)
    if given is not None and not given:
        raise ArgumentError("minima= holds no structures; leave it out to have them sought")
    if profile is not None and dihedral is None:
        raise ArgumentError("profile= needs dihedral=, the four atoms that it turns")
    oracle = as_calculator(reference)
    name = reference if isinstance(reference, str) else str(oracle.name)
    level = resolve(reference).name
    structures = [
        a if _labelled(a) and a.info.get(LEVEL_KEY) == level else _relabelled(a, reference)
        for a in structures
    ]
    bottoms = _different(relaxed(structures, oracle)) if given is None else given
    bottoms = [
        a if _labelled(a) and a.info.get(LEVEL_KEY, level) == level else relaxed(a, oracle)[0]
        for a in bottoms
    ]
    turned: list[Atoms] = []
    if profile is not None:
        turned = list(read_frames(profile))
    elif dihedral is not None:
        turned = torsion_profile(_lowest(bottoms), dihedral, oracle, angles)
    if any("angle" not in atoms.info for atoms in turned):
        raise LabelError("frames of a profile say their angle in info['angle'] (degrees)")
    _check_one_molecule([*structures, *bottoms, *turned])
    true = np.concatenate(
        [atoms.get_forces(apply_constraint=False).ravel() for atoms in structures]
    )
    energies = {name: [atoms.get_potential_energy() for atoms in bottoms]}
    along = {name: [atoms.get_potential_energy() for atoms in turned]}
    errors = {}
    for model, (calculator, must) in _calculators(models, _lowest(bottoms), beside).items():
        try:
            forces = np.concatenate([_forces(atoms, calculator) for atoms in structures])
            own, held = bottoms, turned
            if relax:
                own = relaxed(bottoms, calculator) if bottoms else []
                held = held_at(turned, dihedral, calculator) if dihedral is not None else []
            of_own, of_held = _energies(own, calculator), _energies(held, calculator)
        except CalculationError:
            if must:
                raise
            continue
        errors[model] = forces - true
        energies[model] = of_own
        along[model] = of_held
    order = np.argsort([atoms.info["angle"] for atoms in turned]) if turned else []
    index = pd.Index([turned[k].info["angle"] for k in order], name="angle", dtype=float)
    return ForceFieldComparison(
        structures[0].get_chemical_formula(),
        name,
        errors,
        true,
        _relative(energies),
        _relative({key: [many[k] for k in order] for key, many in along.items()}, index),
    )


def _relabelled(atoms: Atoms, reference: str | Calculator) -> Atoms:
    """A structure with the label of the reference, whatever energy and forces it had."""
    bare = atoms.copy()
    bare.calc = None
    return label([bare], reference, progress=False)[0]


def _labelled(atoms: Atoms) -> bool:
    """Whether a structure has an energy and forces."""
    forces = labels.forces([atoms])
    return bool(np.isfinite(labels.energy_of(atoms)) and np.isfinite(forces).all())


def _different(minima: Sequence[Atoms]) -> list[Atoms]:
    """Minima of one energy once, the lowest first."""
    kept: list[Atoms] = []
    for atoms in sorted(minima, key=lambda a: a.get_potential_energy()):
        if not kept or atoms.get_potential_energy() - kept[-1].get_potential_energy() > SAME:
            kept.append(atoms)
    return kept


def _lowest(minima: Sequence[Atoms]) -> Atoms:
    return min(minima, key=lambda atoms: atoms.get_potential_energy())


def _check_one_molecule(frames: Sequence[Atoms]) -> None:
    for index, atoms in enumerate(frames):
        if not np.array_equal(atoms.numbers, frames[0].numbers):
            raise ArgumentError(
                f"structure {index} is {atoms.symbols}, structure 0 {frames[0].symbols}: energies "
                "of force fields mean something only between geometries of one molecule; compare "
                "molecules one by one"
            )


def _calculators(
    models: Mapping[str, Model] | Sequence[Model] | Model,
    bonded_as: Atoms,
    beside: Sequence[str] | None,
) -> dict[str, tuple[Calculator, bool]]:
    """Calculators by name, and whether they were asked for; force fields follow."""
    found = {name: (_calculator(m, bonded_as), True) for name, m in _named(models).items()}
    for name in FORCE_FIELDS if beside is None else beside:
        if name not in found:
            try:
                found[name] = as_calculator(ForceField(name, bonded_as)), False
            except (MissingPackageError, CalculationError):
                continue
    return found


def _named(models: Mapping[str, Model] | Sequence[Model] | Model) -> dict[str, Model]:
    if isinstance(models, Mapping):
        return dict(models)
    many = list(models) if isinstance(models, list | tuple) else [models]
    named: dict[str, Model] = {}
    for model in many:
        name = model if isinstance(model, str) else _name_of(model)
        if name in named:
            raise ArgumentError(
                f"two models are called {name!r}; give them by name: {{name: model}}"
            )
        named[name] = model
    return named


def _name_of(model: Any) -> str:
    if isinstance(model, Potential | FitReport):
        return "potential"
    return str(getattr(model, "name", type(model).__name__))


def _calculator(model: Model, bonded_as: Atoms) -> Calculator:
    if isinstance(model, FitReport):
        model = model.potential
    if isinstance(model, Potential):
        return model.calculator()
    if isinstance(model, str) and model.strip().lower() in FORCE_FIELDS:
        return as_calculator(ForceField(model, bonded_as))
    return as_calculator(model)


def _forces(atoms: Atoms, calculator: Calculator) -> np.ndarray:
    bare = for_calculators(atoms)
    bare.calc = calculator
    return np.array(bare.get_forces()).ravel()


def _energies(frames: Sequence[Atoms], calculator: Calculator) -> list[float]:
    found = []
    for atoms in frames:
        bare = for_calculators(atoms)
        bare.calc = calculator
        found.append(float(bare.get_potential_energy()))
    return found


def _relative(
    energies: Mapping[str, Sequence[float]], index: pd.Index | None = None
) -> pd.DataFrame:
    """Energies in kcal/mol without their mean, by model."""
    columns = {
        name: (np.array(many) - np.mean(many)) / KCAL for name, many in energies.items() if many
    }
    return pd.DataFrame(columns or dict.fromkeys(energies, ()), index=index, dtype=float)
