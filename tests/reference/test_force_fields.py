"""Force fields as levels of theory and as calculators: MMFF94, UFF, GFN-FF."""

from __future__ import annotations

import pickle
from importlib.util import find_spec

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.optimize import BFGS

pytest.importorskip("rdkit", reason="force fields by RDKit")

from interpmd.errors import CalculationError, MissingPackageError, UnknownLevelError
from interpmd.levels.classical import FORCE_FIELDS, KCAL, ForceField
from interpmd.reference.calculator import as_calculator
from interpmd.reference.labelling import label

INSTALLED = [name for name, package in FORCE_FIELDS.items() if find_spec(package)]


def moved(name: str = "CH3CH2OH", seed: int = 0) -> Atoms:
    atoms = molecule(name)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.05, atoms.positions.shape)
    return atoms


@pytest.mark.parametrize("name", INSTALLED)
def test_forces_are_derivatives_at_every_call(name):
    """RDKit gives a stale gradient where no energy was asked for before."""
    field = as_calculator(ForceField(name, bonded_as=molecule("CH3CH2OH")))
    rng = np.random.default_rng(1)
    for seed in range(3):
        atoms = moved(seed=seed)
        atoms.calc = field
        forces, along = atoms.get_forces(), rng.normal(size=(9, 3))
        ends = []
        for sign in (1, -1):
            end = atoms.copy()
            end.positions += sign * 1e-4 * along
            end.calc = field
            ends.append(end.get_potential_energy())
        assert -(ends[0] - ends[1]) / 2e-4 == pytest.approx((forces * along).sum(), abs=1e-4)


def test_mmff94_is_that_of_rdkit():
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles("CCOC(C)=O"))
    AllChem.EmbedMolecule(mol, randomSeed=3)
    atoms = Atoms([a.GetAtomicNum() for a in mol.GetAtoms()], mol.GetConformer().GetPositions())
    atoms.calc = as_calculator(ForceField("MMFF94"))
    field = AllChem.MMFFGetMoleculeForceField(mol, AllChem.MMFFGetMoleculeProperties(mol))
    assert atoms.get_potential_energy() / KCAL == pytest.approx(field.CalcEnergy(), abs=1e-6)


@pytest.mark.parametrize("name", INSTALLED)
def test_minima_are_reached(name):
    atoms = moved()
    atoms.calc = as_calculator(ForceField(name, bonded_as=molecule("CH3CH2OH")))
    assert BFGS(atoms, logfile=None).run(fmax=0.005, steps=300)
    assert atoms.get_distance(0, 1) == pytest.approx(1.52, abs=0.05)  # C-C


def test_bonds_are_kept_when_they_are_stretched():
    atoms = molecule("CH3CH2OH")
    kept = ForceField("mmff94", bonded_as=atoms)
    far = atoms.copy()
    far.set_distance(0, 1, 2.4, fix=0, indices=[1, *range(3, 6)])
    assert kept.evaluate(far).energy > kept.evaluate(atoms).energy + 3.0
    with pytest.raises(CalculationError, match="mmff94"):  # of CH3 beside CH2OH
        ForceField("mmff94").evaluate(far)
    copied = pickle.loads(pickle.dumps(kept))
    assert copied.evaluate(far).energy == pytest.approx(kept.evaluate(far).energy, abs=1e-12)
    with pytest.raises(CalculationError, match="bonds are those of C2OH6"):
        kept.evaluate(molecule("CH4"))


@pytest.mark.skipif("gfn-ff" not in INSTALLED, reason="gfnff is missing")
def test_gfn_ff_sees_bonds_alone():
    """Its own eye for bonds would find others in hot frames, and its terms depend on the order of
    the atoms."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles("NC(CCO)C(=O)O"))
    AllChem.EmbedMolecule(mol, randomSeed=3)
    atoms = Atoms([a.GetAtomicNum() for a in mol.GetAtoms()], mol.GetConformer().GetPositions())
    field = ForceField("gfn-ff")
    lowest = field.evaluate(atoms)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(atoms))
        found = field.evaluate(atoms[order])
        assert found.energy == pytest.approx(lowest.energy, abs=5e-4)
        assert found.forces == pytest.approx(lowest.forces[order], abs=0.03)
    stretched = []
    for length in np.arange(1.50, 1.95, 0.01):  # C-C, a bond up to 1.98 Å
        far = atoms.copy()
        far.set_distance(2, 3, length, fix=0, mask=_side(mol, 2, 3))
        stretched.append(field.evaluate(far).energy)
    steps = np.diff(stretched)
    assert steps[3:].min() > 0
    assert np.abs(np.diff(steps)).max() < 0.02
    # a structure that was seen first decides nothing
    assert ForceField("gfn-ff").evaluate(far).energy == pytest.approx(stretched[-1], abs=1e-9)


@pytest.mark.skipif("gfn-ff" not in INSTALLED, reason="gfnff is missing")
def test_without_a_lewis_structure_the_order_of_frames_decides_nothing():
    """The terms of a radical are those of its own geometry, not of the one that came first."""
    frames = [moved("C2H3", seed) for seed in range(3)]
    field = ForceField("gfn-ff")
    found = [field.evaluate(atoms).energy for atoms in frames]
    for atoms, energy in zip(frames, found, strict=True):
        assert ForceField("gfn-ff").evaluate(atoms).energy == pytest.approx(energy, abs=1e-9)
    assert [field.evaluate(a).energy for a in frames[::-1]] == pytest.approx(found[::-1], abs=1e-9)


def _side(mol, first: int, second: int) -> list[int]:
    """1 for atoms on the side of the second, 0 for the others."""
    from rdkit import Chem

    cut = Chem.RWMol(mol)
    cut.RemoveBond(first, second)
    side = next(part for part in Chem.GetMolFrags(cut) if second in part)
    return [int(a in side) for a in range(mol.GetNumAtoms())]


@pytest.mark.parametrize("name", INSTALLED)
def test_isomers_have_their_own_bonds(name):
    """One calculator, two molecules of the same atoms in the same order."""
    ethanol, ether = molecule("CH3CH2OH"), molecule("CH3OCH3")
    ether = ether[np.argsort(-ether.numbers, kind="stable")]
    ethanol = ethanol[np.argsort(-ethanol.numbers, kind="stable")]
    assert (ether.numbers == ethanol.numbers).all()
    shared = as_calculator(name)
    energies = [atoms_energy(a, shared) for a in (ethanol, ether)]
    alone = [ForceField(name).evaluate(a).energy for a in (ethanol, ether)]
    labelled = [a.get_potential_energy() for a in label([ethanol, ether], name, progress=False)]
    assert energies == pytest.approx(alone, abs=1e-9)
    assert labelled == pytest.approx(alone, abs=1e-9)


def atoms_energy(atoms: Atoms, level: ForceField | str) -> float:
    alone = atoms.copy()
    alone.calc = as_calculator(level)
    return alone.get_potential_energy()


def test_what_a_force_field_cannot_do_is_said():
    with pytest.raises(UnknownLevelError, match="mmff94, uff, gfn-ff"):
        ForceField("amber")
    with pytest.raises(CalculationError, match="periodic"):
        atoms_energy(bulk("Si"), ForceField("uff"))
    with pytest.raises(CalculationError, match="Lewis structure"):
        atoms_energy(Atoms("CH3", molecule("CH3").positions), ForceField("mmff94"))


@pytest.mark.skipif(find_spec("gfnff") is not None, reason="gfnff is installed")
def test_a_missing_package_is_named():
    with pytest.raises(MissingPackageError, match=r"interpmd\[forcefields\]"):
        atoms_energy(molecule("CH4"), ForceField("gfn-ff"))
