"""Molecules of RDKit as structures: first guesses, relaxation, and whether the bonds are kept.

First guesses: distance geometry with torsion knowledge (ETKDGv3: Wang, Witek, Landrum, Riniker,
J. Chem. Inf. Model. 60, 2044, 2020), relaxed by MMFF94 (Halgren, J. Comput. Chem. 17, 490, 1996),
or by UFF (Rappé et al., J. Am. Chem. Soc. 114, 10024, 1992) where MMFF94 lacks an atom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixInternals
from ase.optimize import BFGS

from interpmd.design.groups import FOR_DESIGN
from interpmd.errors import CalculationError, DesignError
from interpmd.extras import required
from interpmd.structures.bonding import close_pairs, longest_bond

if TYPE_CHECKING:
    from rdkit import Chem

#: Torsions by their four atoms, in degrees.
Torsions = Mapping[tuple[int, int, int, int], float]

#: Guesses made for each one that is kept, and kcal/mol by which those that are kept differ.
TRIES, APART = 4, 0.05

#: How far a first guess may be from a torsion that is asked for, in degrees.
OFF = 30.0

#: How many times the reach of a bond a hydrogen is away from its nearest atom when it has left.
LEFT = 1.23


@dataclass(frozen=True)
class Relaxed:
    """A structure after relaxation.

    Attributes:
        atoms: with energy and forces of the model as results.
        converged: whether all forces are below the limit.
        steps: of the relaxation.
        left: extrapolation grade at which the potential was no longer believed and the relaxation
            ended; None if it was all along.
    """

    atoms: Atoms
    converged: bool
    steps: int
    left: float | None = None

    @property
    def energy(self) -> float:
        """eV."""
        return float(self.atoms.get_potential_energy())


def first_guesses(
    molecule: Chem.Mol, torsions: Torsions | None = None, count: int = 1, seed: int = 0
) -> list[Atoms]:
    """Structures of a molecule by distance geometry and a force field, the lowest first.

    Args:
        molecule: with all hydrogens.
        torsions: that they have, in degrees.
        count: most structures; fewer where they are alike.
        seed: of distance geometry.

    Raises:
        DesignError: RDKit finds none.
    """
    kept: list[tuple[float, Atoms]] = []
    for energy, atoms in guesses(molecule, max(1, TRIES * count), torsions, seed):
        if len(kept) < count and all(energy - other >= APART for other, _ in kept):
            kept.append((energy, atoms))
    return [atoms for _, atoms in kept]


def guesses(
    molecule: Chem.Mol, tries: int, torsions: Torsions | None = None, seed: int = 0
) -> list[tuple[float, Atoms]]:
    """All structures that so many tries of distance geometry give, with the energies in kcal/mol
    that a force field leaves them, ascending; see `first_guesses`."""
    AllChem, Transforms, rdBase, Chem = (
        required(f"rdkit.{part}", FOR_DESIGN)
        for part in ("Chem.AllChem", "Chem.rdMolTransforms", "rdBase", "Chem")
    )
    if not Chem.rdMolDescriptors.CalcNumRotatableBonds(molecule, False) and not torsions:
        tries = 1
    options = AllChem.ETKDGv3()
    options.randomSeed = int(seed) + 1
    options.numThreads = 1
    torsions = torsions or {}
    with rdBase.BlockLogs():
        numbers = list(AllChem.EmbedMultipleConfs(molecule, int(tries), options))
        if not numbers:
            options.useRandomCoords = True
            numbers = list(AllChem.EmbedMultipleConfs(molecule, int(tries), options))
        found = []
        for number in numbers:
            conformer = molecule.GetConformer(number)
            for four, angle in torsions.items():
                if not _in_ring(molecule, four):
                    Transforms.SetDihedralDeg(conformer, *four, float(angle))
            energy = _minimised(AllChem, molecule, number, torsions)
            near = all(
                abs(_turn(Transforms.GetDihedralDeg(conformer, *four) - angle)) < OFF
                for four, angle in torsions.items()
            )
            if np.isfinite(energy) and near:
                found.append((energy, number))
    if not found:
        raise DesignError(
            "RDKit finds no structure"
            + (" with the torsions that are asked for" if torsions else "")
            + "; the groups may be too close to each other"
        )
    return [(energy, _atoms(molecule, number)) for energy, number in sorted(found)]


def settled(molecule: Chem.Mol, torsions: Torsions) -> Atoms:
    """The structure of a molecule after a force field relaxed all but some torsions.

    Raises:
        DesignError: the force field fails.
    """
    AllChem, rdBase = (required(f"rdkit.{part}", FOR_DESIGN) for part in ("Chem.AllChem", "rdBase"))
    number = molecule.GetConformer().GetId()
    with rdBase.BlockLogs():
        energy = _minimised(AllChem, molecule, number, torsions)
    if not np.isfinite(energy):
        raise DesignError("the force field finds no structure with these torsions")
    return _atoms(molecule, number)


def placed(molecule: Chem.Mol, atoms: Atoms) -> Chem.Mol:
    """A molecule with its atoms where a structure has them."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    copied = Chem.Mol(molecule)
    copied.RemoveAllConformers()
    conformer = Chem.Conformer(len(atoms))
    for k, place in enumerate(atoms.positions.tolist()):
        conformer.SetAtomPosition(k, place)
    copied.AddConformer(conformer)
    return copied


def _atoms(molecule: Chem.Mol, number: int) -> Atoms:
    Chem = required("rdkit.Chem", FOR_DESIGN)
    charge = Chem.GetFormalCharge(molecule)
    return Atoms(
        [atom.GetAtomicNum() for atom in molecule.GetAtoms()],
        molecule.GetConformer(number).GetPositions(),
        info={"charge": charge} if charge else {},
    )


def relaxed(
    atoms: Atoms,
    calculator: Calculator,
    fmax: float = 0.03,
    steps: int = 300,
    torsions: Torsions | None = None,
    grade: float | None = None,
) -> Relaxed:
    """A structure relaxed by the model (BFGS of ASE).

    Args:
        atoms: where it begins.
        calculator: the model.
        fmax: largest force in eV/Å that is left.
        steps: most steps.
        torsions: held at these values in degrees.
        grade: largest extrapolation grade of a potential at which it is believed; None for any.

    Raises:
        CalculationError: the model fails on the way.
    """
    moving = atoms.copy()
    if torsions:
        held = [[float(angle), list(four)] for four, angle in torsions.items()]
        moving.set_constraint(FixInternals(dihedrals_deg=held))
    moving.calc = calculator
    optimizer, left = BFGS(moving, logfile=None), None
    graded = "extrapolation" in getattr(calculator, "implemented_properties", ())
    try:
        reached = False
        for there in optimizer.irun(fmax=fmax, steps=steps):
            reached = bool(there)
            if grade is not None and graded:
                now = float(np.max(calculator.get_property("extrapolation", moving)))
                if now > grade:
                    left = now
                    break
        energy = float(moving.get_potential_energy())
        forces = np.array(moving.get_forces(apply_constraint=False))
    except Exception as error:  # whatever the model or a constraint raises at a strange structure
        raise CalculationError(f"relaxation failed: {type(error).__name__}: {error}") from error
    if not np.isfinite(energy) or not np.isfinite(forces).all():
        raise CalculationError("relaxation failed: energy or forces are not finite")
    result = moving.copy()
    result.set_constraint()
    more = {
        name: np.copy(calculator.results[name])
        for name in ("dipole", "charges")
        if name in (calculator.results or {})
    }
    result.calc = SinglePointCalculator(result, energy=energy, forces=forces, **more)
    return Relaxed(result, reached, int(optimizer.nsteps), left)


def changed_bonds(molecule: Chem.Mol, atoms: Atoms) -> str | None:
    """What has become of the bonds of a molecule, in words; None if they are as they were.

    Hydrogens belong to their nearest heavy atom, so that a strong hydrogen bond is no change and a
    proton that crossed its middle is one; among heavy atoms the rule is that of
    `interpmd.structures.bonding`.
    """
    wanted = {
        tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())))
        for bond in molecule.GetBonds()
    }
    numbers, near = atoms.numbers, close_pairs(atoms)

    def name(atom: int) -> str:
        return f"{atoms.symbols[atom]}{atom}"

    heavy = {
        (int(i), int(j))
        for i, j, bonded in zip(near.first, near.second, near.bonded, strict=True)
        if bonded and i < j and numbers[i] > 1 and numbers[j] > 1
    }
    should = {pair for pair in wanted if numbers[pair[0]] > 1 and numbers[pair[1]] > 1}
    for i, j in sorted(should - heavy):
        return f"the bond {name(i)}-{name(j)} is broken"
    for i, j in sorted(heavy - should):
        return f"{name(i)} and {name(j)} are bonded"
    distances = atoms.get_all_distances()
    for hydrogen in np.flatnonzero(numbers == 1).tolist():
        partners = [a for pair in wanted if hydrogen in pair for a in pair if a != hydrogen]
        if not partners or numbers[partners[0]] == 1:
            continue
        others = np.flatnonzero(numbers > 1)
        nearest = int(others[distances[hydrogen, others].argmin()])
        if nearest != partners[0]:
            return f"the proton {name(hydrogen)} moved from {name(partners[0])} to {name(nearest)}"
        if distances[hydrogen, nearest] > LEFT * longest_bond(1, numbers[nearest]):
            return f"the hydrogen {name(hydrogen)} left {name(partners[0])}"
    return None


def torsion(atoms: Atoms, four: tuple[int, int, int, int]) -> float:
    """A torsion angle in degrees, from -180 to 180."""
    return _turn(float(atoms.get_dihedral(*four)))


def _turn(angle: float) -> float:
    return (angle + 180.0) % 360.0 - 180.0


def _in_ring(molecule: Chem.Mol, four: tuple[int, int, int, int]) -> bool:
    bond = molecule.GetBondBetweenAtoms(four[1], four[2])
    return bond is None or bond.IsInRing()


def _minimised(AllChem, molecule: Chem.Mol, number: int, torsions: Torsions) -> float:
    """Energy in kcal/mol after the force field relaxed a conformer with torsions held."""
    properties = AllChem.MMFFGetMoleculeProperties(molecule)
    if properties is not None:
        field = AllChem.MMFFGetMoleculeForceField(molecule, properties, confId=number)
        hold = field.MMFFAddTorsionConstraint
    else:
        field = AllChem.UFFGetMoleculeForceField(molecule, confId=number)
        if field is None:
            return 0.0
        hold = field.UFFAddTorsionConstraint
    for four, angle in torsions.items():
        hold(*four, False, float(angle) - 1, float(angle) + 1, 500.0)
    field.Initialize()
    field.Minimize(maxIts=500)
    return float(field.CalcEnergy())
