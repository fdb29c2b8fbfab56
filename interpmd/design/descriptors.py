"""Six numbers for a group, by which the model of rows knows that CN is more like NO2 than like CH3.

All are read off the group closed with a methyl group, by RDKit: electronegativity of the first atom
(Pauling), its lone pairs, whether it is in a multiple bond, charge that the methyl carbon is left
with (Gasteiger and Marsili, Tetrahedron 36, 3219, 1980), size (molar refractivity by Wildman and
Crippen, J. Chem. Inf. Comput. Sci. 39, 868, 1999), hydrogen bonds that it could give.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from interpmd.design.groups import FOR_DESIGN, Group
from interpmd.extras import required

#: Pauling's electronegativities; others count as carbon.
ELECTRONEGATIVITY = {1: 2.20, 5: 2.04, 6: 2.55, 7: 3.04, 8: 3.44, 9: 3.98, 14: 1.90, 15: 2.19,
                     16: 2.58, 17: 3.16, 35: 2.96, 53: 2.66}  # fmt: skip

#: What each number is divided by, so that a step of one is a marked difference.
SCALES = np.array([0.6, 1.0, 0.7, 0.05, 8.0, 1.0])


def descriptors(groups: Sequence[Group]) -> Float[np.ndarray, "groups 6"]:
    """The six numbers of each group, scaled."""
    return np.array([_of(group.smiles) for group in groups]).reshape(-1, 6) / SCALES


def _of(smiles: str) -> list[float]:
    Chem, Charges, Crippen, Descriptors, rdBase = (
        required(f"rdkit.{part}", FOR_DESIGN)
        for part in (
            "Chem", "Chem.rdPartialCharges", "Chem.Crippen", "Chem.rdMolDescriptors", "rdBase"
        )
    )  # fmt: skip
    with rdBase.BlockLogs():
        closed = Chem.MolFromSmiles(smiles.replace("*", "[CH3:1]", 1))
        closed = Chem.AddHs(closed)
        Charges.ComputeGasteigerCharges(closed)
    methyl = next(atom for atom in closed.GetAtoms() if atom.GetAtomMapNum() == 1)
    first = max(
        methyl.GetNeighbors(), key=lambda n: (n.GetAtomicNum() > 1, -n.GetTotalNumHs(), n.GetIdx())
    )
    others = [n for n in methyl.GetNeighbors() if n.GetAtomicNum() > 1]
    first = others[0] if others else first
    number = first.GetAtomicNum()
    valence = Chem.GetPeriodicTable().GetNOuterElecs(number)
    bonds = sum(bond.GetBondTypeAsDouble() for bond in first.GetBonds())
    pairs = max(0.0, (valence - first.GetFormalCharge() - bonds) / 2) if number > 1 else 0.0
    multiple = any(bond.GetBondTypeAsDouble() > 1 for bond in first.GetBonds())
    charge = methyl.GetDoubleProp("_GasteigerCharge")
    return [
        ELECTRONEGATIVITY.get(number, 2.55),
        pairs,
        float(multiple),
        charge if np.isfinite(charge) else 0.0,
        float(Crippen.MolMR(closed)),
        float(Descriptors.CalcNumHBD(closed)),
    ]
