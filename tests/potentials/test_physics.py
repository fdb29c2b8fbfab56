"""Values of the physics terms and analytic potentials against other sources."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list
from ase.units import Bohr, Hartree
from scipy.special import erf, erfc

from interpmd.errors import InterpmdError, StructureError, UnknownElementError
from interpmd.potentials import (
    D3,
    EEQ,
    MW,
    ZBL,
    AxilrodTeller,
    LennardJones,
    LongRange,
    Morse,
    Potential,
)
from interpmd.potentials import StillingerWeber as SW
from interpmd.potentials.repulsion import COULOMB


def energy(term, atoms):
    return float(Potential([term]).predict(atoms).energy)


def pair(distance, symbols="ArAr"):
    return Atoms(symbols, positions=[[0, 0, 0], [distance, 0, 0]])


def test_lennard_jones_minimum():
    term = LennardJones(epsilon=0.0104, sigma=3.4, cutoff=8.5)
    assert energy(term, pair(3.4 * 2 ** (1 / 6))) == pytest.approx(-0.0104, rel=1e-12)


def test_morse_minimum():
    assert energy(Morse(4.5, 2.0, 0.74, 5.0), pair(0.74, "HH")) == pytest.approx(-4.5, rel=1e-12)


def test_stillinger_weber_silicon_has_its_published_cohesion_and_lattice_constant():
    def cohesion(a):
        return energy(SW(), bulk("Si", "diamond", a=a)) / 2

    assert cohesion(5.431) == pytest.approx(-4.3366, abs=2e-4)
    assert cohesion(5.431) < min(cohesion(5.40), cohesion(5.46))


def test_mw_dimer():
    """sigma_min of the two-body term: -epsilon at 2^(1/6) sigma (Stillinger and Weber)."""
    assert energy(MW(), pair(2 ** (1 / 6) * 2.3925, "OO")) == pytest.approx(-0.26838, abs=2e-5)


def test_axilrod_teller_equilateral_triangle_repels_and_line_attracts():
    term = AxilrodTeller(c9=10.0, cutoff=50.0)
    triangle = Atoms("Ar3", positions=[[0, 0, 0], [2, 0, 0], [1, np.sqrt(3), 0]])
    line = Atoms("Ar3", positions=[[0, 0, 0], [2, 0, 0], [4, 0, 0]])
    assert energy(term, triangle) == pytest.approx(10 * (11 / 8) / 2**9, rel=0.02)
    assert energy(term, line) == pytest.approx(10 * (1 - 3) / (2 * 2 * 4) ** 3, rel=0.05)


def test_zbl_at_close_range_is_a_screened_coulomb_repulsion():
    r = 0.3
    x = r * (2 * 8**0.23) / (0.8854 * 0.529177)
    phi = (
        0.18175 * np.exp(-3.1998 * x)
        + 0.50986 * np.exp(-0.94229 * x)
        + 0.28022 * np.exp(-0.4029 * x)
        + 0.02817 * np.exp(-0.20162 * x)
    )
    expected = 14.399645 * 64 / r * phi
    s = r / (0.7 * 2 * 0.66)
    expected *= 1 - 28 * s**6 + 48 * s**7 - 21 * s**8
    assert energy(ZBL(), pair(r, "OO")) == pytest.approx(expected, rel=1e-6)


def test_zbl_leaves_bonds_alone():
    assert energy(ZBL(), molecule("CH3CH2OH")) == 0


def test_d3_is_that_of_the_reference_program():
    """The same energy as s-dftd3, which comes with pyscf-dispersion."""
    gto = pytest.importorskip("pyscf.gto")
    dftd3 = pytest.importorskip("pyscf.dispersion.dftd3")
    atoms = molecule("C6H6")
    mol = gto.M(atom=list(zip(atoms.symbols, atoms.positions, strict=True)), verbose=0)
    model = dftd3.DFTD3Dispersion(mol, xc="pbe", version="d3bj", atm=True)
    expected = model.get_dispersion()["energy"] * Hartree
    assert energy(D3(functional="pbe"), atoms) == pytest.approx(expected, rel=1e-5)
    assert D3(functional="pbe").parameters_by_name["s8"] == pytest.approx(0.7875, abs=1e-12)
    with pytest.raises(ValueError, match="no damping parameters for 'nonsense'"):
        D3(functional="nonsense")
    with pytest.raises(ValueError, match=r"needs \['a1', 'a2', 's8'\]"):
        D3()


@pytest.mark.parametrize("term", [D3.example(), EEQ()], ids=["dispersion", "electrostatics"])
def test_terms_of_the_whole_structure_refuse_what_they_cannot_do(term, monkeypatch):
    with pytest.raises(UnknownElementError, match=rf"atom 1 is Rf, but {term.kind} knows"):
        energy(term, pair(2.0, "HRf"))
    with pytest.raises(StructureError, match=f"{term.kind} is for molecules only"):
        energy(term, bulk("Si"))
    for name in ("tad_dftd3", "tad_multicharge.model.eeq"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InterpmdError, match=r"pip install 'interpmd\[physics\]'"):
        energy(term, pair(2.0))


@pytest.mark.parametrize("charge", [-1, 0, 2])
def test_eeq_is_the_minimum_of_the_charge_model(charge):
    """Equations 8 to 13 of Caldeweyher et al., solved by numpy with the library's numbers."""
    param = pytest.importorskip("tad_multicharge.param.eeq2019")
    from tad_mctc.ncoord import cn_eeq

    atoms = molecule("CH3CH2OH")
    atoms.info["charge"] = charge
    term = EEQ()
    numbers, positions = torch.as_tensor(atoms.numbers), torch.as_tensor(atoms.positions / Bohr)
    coordination = cn_eeq(numbers, positions).numpy()
    chi, eta, kcn, rad = (
        getattr(param, name)[numbers].double().numpy() for name in ("chi", "eta", "kcn", "rad")
    )
    r = atoms.get_all_distances() / Bohr + np.eye(len(atoms))
    matrix = erf(r / np.sqrt(rad[:, None] ** 2 + rad**2)) / r
    np.fill_diagonal(matrix, eta + np.sqrt(2 / np.pi) / rad)
    drive = kcn * np.sqrt(coordination) - chi
    ones = np.ones((len(atoms), 1))
    bordered = np.block([[matrix, ones], [ones.T, np.zeros((1, 1))]])
    charges = np.linalg.solve(bordered, np.append(drive, charge))[:-1]
    found = term.charges(Potential([term]).batch(atoms)).numpy()
    assert found == pytest.approx(charges, abs=1e-6)
    expected = charges @ (matrix @ charges / 2 - drive) * Hartree
    assert energy(term, atoms) == pytest.approx(expected, abs=1e-5)


def test_eeq_charges_sum_to_the_total_charge():
    water = molecule("H2O")
    water.info["charge"] = 1
    term = EEQ()
    charges = term.charges(Potential([term]).batch(water))
    assert float(charges.sum()) == pytest.approx(1.0, abs=1e-10)
    neutral = term.charges(Potential([term]).batch(molecule("H2O")))
    assert float(neutral[0]) < -0.3 < 0.15 < float(neutral[1])


def test_sums_of_potentials():
    both = Potential([LennardJones(0.01, 3.4, 8.0)]) + Potential([AxilrodTeller(5.0, 8.0)])
    atoms = molecule("CH3CH2OH")
    parts = energy(LennardJones(0.01, 3.4, 8.0), atoms) + energy(AxilrodTeller(5.0, 8.0), atoms)
    assert float(both.predict(atoms).energy) == pytest.approx(parts, rel=1e-12)
    with pytest.raises(ValueError, match="both potentials have"):
        both + both


def test_terms_of_a_sum_keep_their_own_cutoffs():
    atoms = bulk("Si", "diamond", a=5.431)  # second neighbours at 3.84 A
    short, long = LennardJones(0.01, 2.2, 4.0, onset=3.95), Morse(0.1, 1.3, 2.4, 6.0)
    parts = Potential([short, long]).term_energies(Potential([short]).batch(atoms))
    for name, term in {"lennard_jones": short, "morse": long}.items():
        assert float(parts[name].sum()) == pytest.approx(energy(term, atoms), rel=1e-12)


def test_long_range_is_the_energy_of_rock_salt_less_its_short_range_part():
    """Madelung's constant 1.7475646 of point charges; the erfc part is summed over neighbours."""
    constant, smearing = 5.6, 1.1
    salt = bulk("NaCl", "rocksalt", a=constant, cubic=True)
    term = LongRange({"Na": 1.0, "Cl": -1.0}, smearing)
    i, j, r = neighbor_list("ijd", salt, 9.0 * smearing)
    charges = np.where(salt.numbers == 11, 1.0, -1.0)
    screened = COULOMB * charges[i] * charges[j] * erfc(r / (2**0.5 * smearing)) / r
    madelung = -1.7475645946 * COULOMB / (constant / 2) * 4
    assert energy(term, salt) + 0.5 * screened.sum() == pytest.approx(madelung, rel=1e-8)


def test_long_range_of_two_distant_charges_is_that_of_points():
    term = LongRange({"Na": 1.0, "Cl": -1.0}, 1.5)
    assert energy(term, pair(20.0, "NaCl")) == pytest.approx(-COULOMB / 20.0, rel=1e-12)
    assert energy(term, pair(0.6, "NaCl")) == pytest.approx(
        -COULOMB * erf(0.6 / (2**0.5 * 1.5)) / 0.6, rel=1e-12
    )


def test_long_range_feels_a_dipole_beyond_the_cutoff_of_other_terms():
    """Two waters 12 A apart: -2 d^2 / r^3 if their dipoles are in line, half and repelling beside
    each other."""
    water = molecule("H2O")
    term = LongRange({"O": -0.8, "H": 0.4}, 1.0)
    charges = term.charges.numpy()[water.numbers]
    dipole = charges @ water.positions
    assert np.abs(dipole[:2]).max() < 1e-12
    for direction, factor in (([0, 0, 12.0], -2), ([12.0, 0, 0], 1)):
        other = water.copy()
        other.positions += direction
        both = energy(term, water + other) - 2 * energy(term, water)
        expected = factor * COULOMB * dipole[2] ** 2 / 12.0**3
        assert both == pytest.approx(expected, rel=0.03)


def test_long_range_refuses_what_it_cannot_do(monkeypatch):
    term = LongRange({"O": -0.8, "H": 0.4})
    with pytest.raises(UnknownElementError, match="atom 1 is Ar, but"):
        energy(term, pair(2.0, "HAr"))
    slab = Atoms("OHH", [[0, 0, 0], [1, 0, 0], [0, 1, 0]], cell=[8, 8, 8], pbc=[True, True, False])
    with pytest.raises(StructureError, match="0 or 3 periodic directions, and the structure has 2"):
        energy(term, slab)
    with pytest.raises(InterpmdError, match="charges names no element"):
        LongRange({})
    with pytest.raises(InterpmdError, match="the charge of O is nan"):
        LongRange({"O": float("nan")})
    with pytest.raises(InterpmdError, match="smearing"):
        LongRange({"O": 1.0}, smearing=0.0)
    monkeypatch.setitem(sys.modules, "torchpme", None)
    slab.pbc = True
    with pytest.raises(InterpmdError, match=r"pip install 'interpmd\[physics\]'"):
        Potential([term]).predict_by_torch(slab)
