"""Objectives of a molecule and something that comes to it: a proton, another molecule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.geometry import first_guesses
from interpmd.design.groups import FOR_DESIGN
from interpmd.design.objectives.base import Objective, State, atom_marked
from interpmd.errors import DesignError
from interpmd.extras import required

if TYPE_CHECKING:
    from rdkit import Chem


@dataclass(frozen=True)
class ProtonAffinity(Objective):
    """Energy of the molecule less that of the protonated one, in eV.

    The energy of the proton, which is the same for all, is left out; GFN2-xTB gives it one that is
    not zero, so that differences within a series count.

    Attributes:
        atom: number in the scaffold of the atom that takes the proton.
    """

    atom: int
    name = "proton affinity"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """Neutral and protonated."""
        Chem = required("rdkit.Chem", FOR_DESIGN)
        atom = atom_marked(molecule, self.atom, "the atom that takes a proton")
        more = Chem.RWMol(molecule)
        base = more.GetAtomWithIdx(atom)
        base.SetFormalCharge(base.GetFormalCharge() + 1)
        more.AddBond(atom, more.AddAtom(Chem.Atom(1)), Chem.BondType.SINGLE)
        try:
            Chem.SanitizeMol(more)
        except Exception as error:
            raise DesignError(f"atom number {self.atom} takes no proton ({error})") from error
        return [State("neutral", molecule), State("protonated", more.GetMol())]

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Neutral less protonated."""
        return float(
            found["neutral"].get_potential_energy() - found["protonated"].get_potential_energy()
        )


@dataclass(frozen=True)
class Interaction(Objective):
    """Energy that a probe molecule gains at an atom, all relaxed, in eV (positive: it is bound).

    Attributes:
        atom: number in the scaffold of the atom that the probe is put beside.
        probe: SMILES, water if not given.
        distance: from the atom to the middle of the probe at the start, in Å.
        ways: orientations that are tried.
    """

    atom: int
    probe: str = "O"
    distance: float = 3.0
    ways: int = 4
    name = "interaction"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """The molecule, the probe, and both."""
        Chem = required("rdkit.Chem", FOR_DESIGN)
        atom = atom_marked(molecule, self.atom, "the atom beside which the probe is")
        probe = Chem.MolFromSmiles(self.probe)
        if probe is None or probe.GetNumAtoms() == 0:
            raise DesignError(f"the probe {self.probe!r} is no SMILES")
        probe = Chem.AddHs(probe)
        both = Chem.CombineMols(molecule, probe)
        Chem.SanitizeMol(both)
        return [
            State("molecule", molecule),
            State("probe", probe),
            State("together", both, structures=self._starts(molecule, atom, probe)),
        ]

    def _starts(self, molecule: Chem.Mol, atom: int, probe: Chem.Mol) -> tuple[Atoms, ...]:
        """The probe in front of the atom, away from all other atoms, turned in several ways."""
        host, guest = first_guesses(molecule)[0], first_guesses(probe)[0]
        rng = np.random.default_rng(0)
        axes = rng.standard_normal((400, 3))
        axes /= np.linalg.norm(axes, axis=1)[:, None]
        spots = host.positions[atom] + self.distance * axes
        rest = np.delete(host.positions, atom, axis=0)
        room = np.linalg.norm(spots[:, None] - rest[None], axis=2).min(1)
        spot = spots[room.argmax()]
        starts = []
        for _ in range(self.ways):
            turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
            turn *= np.sign(np.linalg.det(turn))
            placed = guest.copy()
            placed.positions = (guest.positions - guest.positions.mean(0)) @ turn.T + spot
            starts.append(host + placed)
        return tuple(starts)

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Both alone less both together."""
        energies = {name: float(atoms.get_potential_energy()) for name, atoms in found.items()}
        return energies["molecule"] + energies["probe"] - energies["together"]
