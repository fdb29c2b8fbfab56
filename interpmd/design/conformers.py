"""Conformers of a molecule: found, sorted, told apart, and ranked with error bars.

Distance geometry gives seeds, a force field settles them, the model chooses among them and relaxes
the lowest. Then the torsions of the lowest are turned one by one, and minima hopping (Goedecker,
J. Chem. Phys. 120, 9911, 2004, as ASE does it) looks for what is left. Two structures are one
conformer if their energies agree and they lie on each other, equal atoms exchanged as they can be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import chdir, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.io import read
from ase.optimize.minimahopping import MinimaHopping

from interpmd import arguments
from interpmd.design.geometry import Relaxed, changed_bonds, guesses, placed
from interpmd.design.groups import FOR_DESIGN
from interpmd.design.ranked import Conformers
from interpmd.design.relaxations import Relaxations
from interpmd.design.scaffold import one_isomer, parsed
from interpmd.design.turning import freedom, turned
from interpmd.errors import DesignError
from interpmd.extras import required
from interpmd.levels import resolve
from interpmd.potentials import Potential
from interpmd.reference.calculator import as_calculator
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import lewis_bonds
from interpmd.structures.lewis import rdkit_molecule

if TYPE_CHECKING:
    from rdkit import Chem

#: Energies (eV) that may belong to one conformer, and Å by which its atoms may differ.
SAME_ENERGY, SAME_PLACE = 0.003, 0.2

#: Guesses for each seed that is relaxed; kcal/mol of a force field within which two may be one.
GUESSES, SAME_FIELD = 20, 0.02

#: Ways to exchange equal atoms that are tried, at most.
MATCHES = 20_000

#: Rounds in which torsions of what is lowest then are turned.
ROUNDS = 10

#: Settings of minima hopping: it is to turn torsions, not to break bonds.
HOPPING = {"T0": 600.0, "Ediff0": 0.2, "mdmin": 2, "timestep": 1.0, "fmax": 0.05}


def conformers(
    molecule: str | Atoms,
    model: str | Calculator | Potential = "gfn2-xtb",
    *,
    seeds: int = 40,
    turns: int = 5,
    hops: int = 0,
    window: float = 0.5,
    fmax: float = 0.02,
    workers: int | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Conformers:
    """The conformers of a molecule by a model, the lowest first.

    Args:
        molecule: SMILES, or a structure, whose bonds are kept.
        model: level of theory, ASE calculator or potential.
        seeds: that the model relaxes: those that it finds lowest of twenty times as many by
            distance geometry and a force field, each once.
        turns: of the lowest so many each torsion is turned by thirds, until none of them has a
            lower neighbour or a new one among them; 0 for none.
        hops: of minima hopping from the lowest; 0 for none.
        window: eV above the lowest that are kept.
        fmax: largest force in eV/Å that is left; 0.02 may leave methyl groups 0.1 kcal/mol above
            where they belong, 0.005 does not.
        workers: processes, one thread each; None for all cores where that pays.
        out: file (".jsonl") that grows by one relaxed structure at a time. The same call again, or
            one that asks for more, goes on from there.
        seed: of distance geometry and hopping.
        progress: show a bar.

    Raises:
        DesignError: no such molecule, no seeds, or none that the model keeps together.
        DesignFileError: `out` holds something else; it stays as it is.
        UnknownLevelError, MissingPackageError: before anything is computed.
        OutputError: `out` cannot be written; what it holds is kept.
    """
    arguments.count(seeds=seeds)
    arguments.count(0, hops=hops, turns=turns)
    arguments.positive(window=window, fmax=fmax)
    arguments.seeds(seed=seed)
    if workers is not None:
        arguments.count(workers=workers)
    Chem = required("rdkit.Chem", FOR_DESIGN)
    calculator = as_calculator(model.calculator() if isinstance(model, Potential) else model)
    level = resolve(calculator).name
    whole = _molecule(molecule)
    smiles = Chem.MolToSmiles(Chem.RemoveHs(whole))
    about = {"conformers of": smiles, "level": level, "fmax": fmax}
    tries = min(GUESSES * seeds, GUESSES * 3 ** min(freedom(whole), 10))
    starts = _distinct(whole, guesses(whole, tries, seed=seed))
    place = None if out is None else Path(out)
    with Relaxations(calculator, fmax, about, place, workers, progress) as relaxations:
        starts = _lowest(starts, calculator, np.inf)[:seeds] or _refused(starts, calculator, level)
        if isinstance(molecule, Atoms):
            starts.insert(0, _bare(molecule))
        search = _Search(whole, window)
        search.add(relaxations.relaxed(starts, "seeds"), "seed")
        if not search.kept:
            raise DesignError(
                f"none of {len(starts)} seeds became a conformer: the model {level} breaks the "
                "molecule"
            )
        lost = search.lost
        for _ in range(ROUNDS if turns else 0):
            fresh = search.not_turned(turns)
            if not fresh:
                break
            near = [other for atoms in fresh for other in turned(whole, atoms)]
            near = _lowest(near, calculator, search.lowest.energy + window)
            search.add(relaxations.relaxed(near, "turned"), "turning")
        if hops:
            words = f"hopping {hops} {seed}"
            hopped = relaxations.searched(_hopped, search.lowest.atoms, words, hops, seed)
            search.add(relaxations.relaxed(hopped, "hopped"), "hopping")
    kept = search.kept
    return Conformers(
        tuple(there.atoms for there, _ in kept),
        tuple(source for _, source in kept),
        smiles,
        level,
        model,
        lost,
        fmax,
    )


@dataclass
class _Search:
    """Conformers found until now, each once, ascending; and what was lost."""

    molecule: Chem.Mol
    window: float
    kept: list[tuple[Relaxed, str]] = field(default_factory=list)
    lost: int = 0
    _turned: list[Atoms] = field(default_factory=list)

    @property
    def lowest(self) -> Relaxed:
        return self.kept[0][0]

    def add(self, found: Sequence[Relaxed | None], source: str) -> None:
        """Take what is whole and converged."""
        whole = [
            there
            for there in found
            if there is not None
            and there.converged
            and changed_bonds(self.molecule, there.atoms) is None
        ]
        self.lost += len(found) - len(whole)
        both = [*self.kept, *((there, source) for there in whole)]
        if both:
            self.kept = _each_once(self.molecule, both, self.window)

    def not_turned(self, count: int) -> list[Atoms]:
        """Those of the lowest so many whose torsions were not turned yet; from now on they were."""
        fresh = [
            there.atoms
            for there, _ in self.kept[:count]
            if all(distance(self.molecule, there.atoms, a) > SAME_PLACE for a in self._turned)
        ]
        self._turned += fresh
        return fresh


def _lowest(structures: Sequence[Atoms], calculator: Calculator, most: float) -> list[Atoms]:
    """Structures by the model's energy before they are relaxed, ascending, up to `most` in eV.

    The order of a force field says next to nothing of that of the model where hydrogen bonds are:
    for hexane-1,2-diol ranks correlate by -0.05, those of single energies of the model by 0.98.
    """
    found = []
    for number, atoms in enumerate(structures):
        here = atoms.copy()
        here.calc = calculator
        with suppress(Exception):  # whatever the model raises at a strange structure
            energy = float(here.get_potential_energy())
            if np.isfinite(energy) and energy <= most:
                found.append((energy, number))
    return [structures[number] for _, number in sorted(found)]


def _refused(starts: Sequence[Atoms], calculator: Calculator, level: str) -> list[Atoms]:
    """Raise what a model says that gives no energy of any guess."""
    words = "no energy is finite"
    try:
        as_given = starts[0].copy()
        as_given.calc = calculator
        as_given.get_potential_energy()
    except Exception as error:  # whatever the model raises
        words = f"{type(error).__name__}: {error}"
    raise DesignError(f"the model {level} gives no energy of {starts[0].symbols}: {words}")


def _each_once(
    molecule: Chem.Mol, found: Sequence[tuple[Relaxed, str]], window: float
) -> list[tuple[Relaxed, str]]:
    """The lowest of each conformer up to `window` above the lowest of all, ascending; its source
    is that of the first that found it."""
    kept: list[tuple[Relaxed, str]] = []
    order = sorted(range(len(found)), key=lambda k: found[k][0].energy)
    first: list[int] = []
    for number in order:
        there, _ = found[number]
        if there.energy - found[order[0]][0].energy > window:
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
            kept.append((there, ""))
            first.append(number)
        else:
            first[same] = min(first[same], number)
    return [(there, found[k][1]) for (there, _), k in zip(kept, first, strict=True)]


def distance(molecule: Chem.Mol, one: Atoms, other: Atoms, hydrogens: bool = False) -> float:
    """RMSD in Å of two conformers after the best superposition, mirror images counted as one where
    no stereocentre is given; hydrogens on carbon are left out unless `hydrogens`."""
    Align = required("rdkit.Chem.rdMolAlign", FOR_DESIGN)
    both = [one, other]
    if not _has_sides(molecule):
        mirrored = other.copy()
        mirrored.positions *= -1
        both.append(mirrored)
    seen = [placed(molecule, atoms) if hydrogens else _skeleton(molecule, atoms) for atoms in both]
    return min(float(Align.GetBestRMS(k, seen[0], maxMatches=MATCHES)) for k in seen[1:])


def _skeleton(molecule: Chem.Mol, atoms: Atoms) -> Chem.Mol:
    """A molecule at a structure without hydrogens on carbon."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    whole = Chem.RWMol(placed(molecule, atoms))
    gone = [
        atom.GetIdx()
        for atom in molecule.GetAtoms()
        if atom.GetAtomicNum() == 1 and all(n.GetAtomicNum() == 6 for n in atom.GetNeighbors())
    ]
    if len(gone) > len(atoms) - 3:  # hydrocarbons of one or two carbon atoms
        gone = []
    for atom in sorted(gone, reverse=True):
        whole.RemoveAtom(atom)
    return whole.GetMol()


def _has_sides(molecule: Chem.Mol) -> bool:
    """Whether a stereocentre is given, so that a mirror image is another molecule."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    return bool(Chem.FindMolChiralCenters(molecule, useLegacyImplementation=False))


def _distinct(molecule: Chem.Mol, found: Sequence[tuple[float, Atoms]]) -> list[Atoms]:
    """Structures of a force field with their energies, ascending, each once."""
    kept: list[tuple[float, Atoms]] = []
    for energy, atoms in found:
        near = [other for before, other in kept if before > energy - SAME_FIELD]
        if all(distance(molecule, other, atoms) > SAME_PLACE for other in near):
            kept.append((energy, atoms))
    return [atoms for _, atoms in kept]


def _molecule(given: str | Atoms) -> Chem.Mol:
    Chem = required("rdkit.Chem", FOR_DESIGN)
    if isinstance(given, str):
        molecule = parsed(given)
        for atom in molecule.GetAtoms():
            if not atom.GetAtomicNum() or atom.GetNumRadicalElectrons():
                what = "an open valence, *" if not atom.GetAtomicNum() else "an unpaired electron"
                raise DesignError(
                    f"{given!r} has {what}; conformers are those of a whole molecule of which all "
                    "electrons are paired"
                )
        return Chem.AddHs(one_isomer(molecule))
    if not isinstance(given, Atoms) or len(given) == 0:
        raise DesignError(f"a molecule is SMILES or a structure with atoms, not {given!r}")
    if given.pbc.any():
        raise DesignError(f"{given.symbols} is periodic, and conformers are of a molecule alone")
    bonds = lewis_bonds(given).pairs.tolist()
    molecule = rdkit_molecule(given.numbers, bonds, whole_charge(given), FOR_DESIGN)
    if molecule is None or len(Chem.GetMolFrags(molecule)) > 1:
        raise DesignError(
            f"{given.symbols} is no single molecule with a Lewis structure; give SMILES instead"
        )
    molecule = placed(molecule, given)
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
