"""Charges and multiplicities: one rule, in caches, in fragments, in potentials."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import molecule

import interpmd as im
from hard_inputs.case import Case
from hard_inputs.labels import fit, materials
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials.base import TERMS


def charged(**info) -> Atoms:
    """Water with something said of its charge."""
    return Atoms(molecule("H2O"), info=info)


def clusters() -> Atoms:
    """A chloride between two waters."""
    first = molecule("H2O")
    first.rotate(180, "x")
    first.positions += [0, 0, 3.2] - first.positions[0]
    second = first.copy()
    second.positions[:, 2] *= -1
    return Atoms("Cl") + first + second


def cases() -> Iterator[Case]:
    """All cases of charges."""
    charges = im.Potential([TERMS["electrostatics"]()])

    def right(atoms) -> float:
        return float(charges.predict(atoms).energy)

    def after_another(first, second) -> bool:
        atoms = charged(charge=first)
        atoms.calc = charges.calculator()
        atoms.get_potential_energy()
        atoms.info["charge"] = second
        return abs(atoms.get_potential_energy() - right(charged(charge=second))) < 1e-9

    for first, second in ((0, 1), (1, 0), (1, -1)):
        yield Case(
            f"charge {first}, then {second}, in one calculator",
            lambda a=first, b=second: after_another(a, b),
        )

    def shared() -> bool:
        calculator = charges.calculator()
        one, two = charged(charge=0), charged(charge=1)
        one.calc = two.calc = calculator
        return abs(one.get_potential_energy() - two.get_potential_energy()) > 1

    yield Case("two structures that share a calculator", shared)
    for key in ("charge", "total_charge"):
        yield Case(
            f"info[{key!r}]",
            lambda key=key: abs(right(charged(**{key: 1})) - right(charged(charge=1))) < 1e-12,
        )

    def initial() -> bool:
        atoms = charged()
        atoms.set_initial_charges([1.0, 0, 0])
        return abs(right(atoms) - right(charged(charge=1))) < 1e-12

    yield Case("initial charges", initial)
    yield Case(
        "charge and total_charge that contradict",
        lambda: right(charged(charge=1, total_charge=-1)),
        "one total charge",
    )
    yield Case("a charge that is no number", lambda: right(charged(charge="one")), "charge")
    yield Case("a charge that is NaN", lambda: right(charged(charge=np.nan)), "charge")
    singlets = [a.copy() for a in materials()["malonaldehyde"]]
    for atoms, old in zip(singlets, materials()["malonaldehyde"], strict=True):
        atoms.calc = old.calc
        atoms.info |= {"charge": 0, "multiplicity": 1}
    for key, value in {"charge": 1, "multiplicity": 3}.items():

        def asked(key=key, value=value):
            atoms = MALONALDEHYDE.copy()
            atoms.info[key] = value
            return fit(singlets).potential.predict(atoms)

        yield Case(f"a potential asked for {key} {value}", asked, key)
    from tblite.ase import TBLite

    def parts(model, charge=None, **options):
        atoms = clusters()
        if charge is not None:
            atoms.info["charge"] = charge
        found = im.explain(model, atoms, fragments="molecules", order=3, **options).by("fragment")
        return [float(found[(1,)]), float(found[(0, 1)]), float(found[(0, 1, 2)])]

    expected = [-137.968, 0.512, 0.011]
    ion = TBLite(method="GFN2-xTB", charge=-1, verbosity=0)
    yield Case(
        "parts of a charged cluster", lambda: np.abs(np.subtract(parts(ion), expected)).max() < 2e-3
    )
    plain = TBLite(method="GFN2-xTB", verbosity=0)
    yield Case(
        "parts of a cluster with its charge in info",
        lambda: np.abs(np.subtract(parts(plain, -1), expected)).max() < 2e-3,
    )
    yield Case(
        "fragment_charges given",
        lambda: (
            np.abs(np.subtract(parts(plain, -1, fragment_charges=[-1, 0, 0]), expected)).max()
            < 2e-3
        ),
    )
    yield Case(
        "fragment_charges that do not sum to the whole",
        lambda: parts(plain, -1, fragment_charges=[0, 0, 0]),
        "charge",
    )
    yield Case(
        "fragment_charges too few", lambda: parts(plain, -1, fragment_charges=[-1]), "charge"
    )
    even = molecule("H2O")
    even.info["multiplicity"] = 2
    yield Case(
        "a multiplicity that electrons do not fit",
        lambda: im.label([even], progress=False),
        "multiplicity|electrons",
    )
