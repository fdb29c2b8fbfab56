"""Conformers of a molecule: found, sorted, told apart, and ranked with error bars.

Distance geometry gives seeds, the model relaxes them, and minima hopping (Goedecker, J. Chem. Phys.
120, 9911, 2004, as ASE does it) looks for what they missed. Two structures are one conformer if
their energies agree and they lie on each other, equal atoms exchanged as they can be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import chdir, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.io import read
from ase.optimize.minimahopping import MinimaHopping

from interpmd import arguments
from interpmd.design.geometry import Relaxed, changed_bonds, first_guesses, relaxed
from interpmd.design.groups import FOR_DESIGN
from interpmd.design.ranked import Conformers
from interpmd.design.scaffold import parsed
from interpmd.errors import CalculationError, DesignError
from interpmd.extras import required
from interpmd.potentials import Potential
from interpmd.reference.calculator import as_calculator
from interpmd.reference.levels import resolve
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import lewis_bonds
from interpmd.structures.lewis import rdkit_molecule

if TYPE_CHECKING:
    from rdkit import Chem

#: Energies (eV) that may belong to one conformer, and Å by which its atoms may differ.
SAME_ENERGY, SAME_PLACE = 0.003, 0.2

#: Guesses for each seed that is relaxed, of which the lowest of a force field count, and kcal/mol
#: by which these differ.
GUESSES, SAME_FIELD = 10, 0.01

#: Seeds of a force field within this RMSD in Å are relaxed once.
SAME_SEED = 0.3

#: Settings of minima hopping: it is to turn torsions, not to break bonds.
HOPPING = {"T0": 600.0, "Ediff0": 0.2, "mdmin": 2, "timestep": 1.0, "fmax": 0.05}


def conformers(
    molecule: str | Atoms,
    model: str | Calculator | Potential = "gfn2-xtb",
    *,
    seeds: int = 40,
    hops: int = 5,
    window: float = 0.5,
    fmax: float = 0.02,
    seed: int = 0,
    progress: bool = True,
) -> Conformers:
    """The conformers of a molecule by a model, the lowest first.

    Args:
        molecule: SMILES, or a structure, whose bonds are kept.
        model: level of theory, ASE calculator or potential.
        seeds: that the model relaxes: the lowest of ten times as many by distance geometry and a
            force field, each once. Flexible molecules need more: three for each rotatable bond,
            multiplied, are many.
        hops: of minima hopping from the lowest; 0 for none.
        window: eV above the lowest that are kept.
        fmax: largest force in eV/Å that is left.
        seed: of distance geometry and hopping.
        progress: show a bar.

    Raises:
        DesignError: no such molecule, no seeds, or none that the model keeps together.
        UnknownLevelError, MissingPackageError: before anything is computed.
    """
    from tqdm.auto import tqdm

    arguments.count(seeds=seeds)
    arguments.count(0, hops=hops)
    arguments.positive(window=window, fmax=fmax)
    arguments.seeds(seed=seed)
    Chem = required("rdkit.Chem", FOR_DESIGN)
    calculator = as_calculator(model.calculator() if isinstance(model, Potential) else model)
    level = resolve(calculator).name
    whole = _molecule(molecule)
    starts = first_guesses(whole, None, seeds, seed, tries=GUESSES * seeds, apart=SAME_FIELD)
    starts = _distinct(whole, starts, SAME_SEED)
    if isinstance(molecule, Atoms):
        starts.insert(0, _bare(molecule))
    found: list[tuple[Relaxed, str]] = []
    lost = 0
    for start in tqdm(starts, desc=level, unit="seed", disable=not progress):
        try:
            there = relaxed(start, calculator, fmax)
        except CalculationError:
            lost += 1
            continue
        if changed_bonds(whole, there.atoms) is None and there.converged:
            found.append((there, "seed"))
        else:
            lost += 1
    if not found:
        raise DesignError(
            f"none of {len(starts)} seeds became a conformer: the model {level} breaks the molecule"
        )
    if hops:
        lowest = min((there for there, _ in found), key=lambda there: there.energy)
        for hopped in _hopped(lowest.atoms, calculator, hops, seed):
            with suppress(CalculationError):
                there = relaxed(hopped, calculator, fmax)
                if there.converged and changed_bonds(whole, there.atoms) is None:
                    found.append((there, "hopping"))
    kept = _each_once(whole, found, window)
    structures = tuple(there.atoms for there, _ in kept)
    return Conformers(
        structures,
        tuple(source for _, source in kept),
        Chem.MolToSmiles(Chem.RemoveHs(whole)),
        level,
        model,
        lost,
        fmax,
    )


def _each_once(
    molecule: Chem.Mol, found: Sequence[tuple[Relaxed, str]], window: float
) -> list[tuple[Relaxed, str]]:
    """The lowest of each conformer up to `window` above the lowest of all, ascending; a seed where
    a seed found it."""
    kept: list[tuple[Relaxed, str]] = []
    ordered = sorted(found, key=lambda pair: pair[0].energy)
    for there, source in ordered:
        if there.energy - ordered[0][0].energy > window:
            break
        same = next(
            (
                k
                for k, (other, _) in enumerate(kept)
                if abs(other.energy - there.energy) < SAME_ENERGY
                and distance(molecule, other.atoms, there.atoms) < SAME_PLACE
            ),
            None,
        )
        if same is None:
            kept.append((there, source))
        elif source == "seed":
            kept[same] = (kept[same][0], source)
    return kept


def distance(molecule: Chem.Mol, one: Atoms, other: Atoms) -> float:
    """RMSD in Å of two conformers after the best superposition, mirror images counted as one where
    no stereocentre is given; hydrogens on carbon are left out."""
    Align = required("rdkit.Chem.rdMolAlign", FOR_DESIGN)
    first, second = _skeleton(molecule, one), _skeleton(molecule, other)
    found = [Align.GetBestRMS(second, first)]
    if not _has_sides(molecule):
        mirrored = other.copy()
        mirrored.positions *= -1
        found.append(Align.GetBestRMS(_skeleton(molecule, mirrored), first))
    return float(min(found))


def _skeleton(molecule: Chem.Mol, atoms: Atoms) -> Chem.Mol:
    """A molecule at a structure without hydrogens on carbon."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    placed = Chem.RWMol(molecule)
    placed.RemoveAllConformers()
    conformer = Chem.Conformer(len(atoms))
    for k, place in enumerate(atoms.positions.tolist()):
        conformer.SetAtomPosition(k, place)
    placed.AddConformer(conformer)
    gone = [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetAtomicNum() == 1 and all(n.GetAtomicNum() == 6 for n in atom.GetNeighbors())
    ]
    if len(gone) > len(atoms) - 3:  # hydrocarbons of one or two carbon atoms
        gone = []
    for atom in sorted(gone, reverse=True):
        placed.RemoveAtom(atom)
    return placed.GetMol()


def _has_sides(molecule: Chem.Mol) -> bool:
    """Whether a stereocentre is given, so that a mirror image is another molecule."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    return bool(Chem.FindMolChiralCenters(molecule, useLegacyImplementation=False))


def _distinct(molecule: Chem.Mol, structures: Sequence[Atoms], apart: float) -> list[Atoms]:
    kept: list[Atoms] = []
    for atoms in structures:
        if all(distance(molecule, other, atoms) > apart for other in kept):
            kept.append(atoms)
    return kept


def _molecule(given: str | Atoms) -> Chem.Mol:
    Chem = required("rdkit.Chem", FOR_DESIGN)
    if isinstance(given, str):
        return Chem.AddHs(parsed(given))
    if not isinstance(given, Atoms) or len(given) == 0:
        raise DesignError(f"a molecule is SMILES or a structure with atoms, not {given!r}")
    bonds = lewis_bonds(given).pairs.tolist()
    molecule = rdkit_molecule(given.numbers, bonds, whole_charge(given), FOR_DESIGN)
    if molecule is None or len(Chem.GetMolFrags(molecule)) > 1:
        raise DesignError(
            f"{given.symbols} is no single molecule with a Lewis structure; give SMILES instead"
        )
    conformer = Chem.Conformer(len(given))
    for k, place in enumerate(given.positions.tolist()):
        conformer.SetAtomPosition(k, place)
    molecule.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(molecule)
    return molecule


def _bare(atoms: Atoms) -> Atoms:
    bare = Atoms(atoms.numbers, atoms.positions)
    if charge := whole_charge(atoms):
        bare.info["charge"] = charge
    return bare


def _hopped(atoms: Atoms, calculator: Calculator, hops: int, seed: int) -> list[Atoms]:
    """Minima that hopping from one structure finds; those until then where it fails."""
    moving = atoms.copy()
    moving.calc = calculator
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # where ASE leaves its files
        rng = np.random.RandomState(seed)
        with suppress(Exception):  # a model may fail where bonds break
            MinimaHopping(moving, rng=rng, **HOPPING)(totalsteps=hops)
        found = []
        for path in sorted(Path(folder).glob("qn*.traj")):
            with suppress(Exception):  # the last may be cut off
                found.append(_with_charge(read(path), atoms))
        return found


def _with_charge(one: Any, atoms: Atoms) -> Atoms:
    bare = Atoms(one.numbers, one.positions)
    bare.info |= {k: v for k, v in atoms.info.items() if k == "charge"}
    return bare
