"""Isomers have the same atoms and other energies: no chord between them says what forces do."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

pytest.importorskip("rdkit", reason="isomers and their labels by RDKit")

import interpmd as im
from interpmd.fitting.checks.forces import check_forces
from interpmd.fitting.checks.pairs import similar

ISOMERS = ("CCCCO", "CCC(C)O", "CC(C)CO", "CC(C)(C)O", "CCCOC", "CCOCC", "COC(C)C")


def isomer(smiles: str) -> Atoms:
    """Relaxed by MMFF94, its atoms sorted by element."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=1) == 0
    AllChem.MMFFOptimizeMolecule(mol, maxIters=2000)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    order = np.argsort(-numbers, kind="stable")
    return Atoms(numbers[order], mol.GetConformer().GetPositions()[order])


@pytest.fixture(scope="module")
def frames() -> list[Atoms]:
    found = []
    for seed, smiles in enumerate(ISOMERS):
        found += im.sample(isomer(smiles), "rattle", n=3, seed=seed, stdev=0.05)
    return im.label(found, "mmff94", progress=False)


def test_right_labels_of_isomers_are_not_accused(frames):
    found = check_forces(frames, range(len(frames)), None, frames)
    assert [f for f in found.findings if f.weight != "note"] == []
    assert found.factor == pytest.approx(1.0, abs=0.2)


def test_wrong_signs_of_isomers_are_found(frames):
    from ase.calculators.singlepoint import SinglePointCalculator

    wrong = []
    for atoms in frames:
        turned = atoms.copy()
        turned.calc = SinglePointCalculator(
            turned, energy=atoms.get_potential_energy(), forces=-atoms.get_forces()
        )
        wrong.append(turned)
    found = check_forces(wrong, range(len(wrong)), None, wrong)
    assert any(f.weight == "error" and "sign" in str(f) for f in found.findings)


def test_most_chords_lead_to_other_isomers(frames):
    pairs = similar(frames)
    assert (pairs.distance > 0.2).mean() > 0.1  # what the first test is about


def test_frames_are_not_compared_with_themselves_or_with_copies(frames):
    # a few of each kind: all are near each other, and copies would say that energies stay
    some = [*frames[:6], *(atoms.copy() for atoms in frames[:6])]
    for copy, atoms in zip(some[6:], frames, strict=False):
        copy.calc = atoms.calc
    pairs = similar(some)
    assert (pairs.first != pairs.second).all()
    found = check_forces(some, range(len(some)), None, some)
    assert found.factor is None or abs(found.factor) > 0.1
