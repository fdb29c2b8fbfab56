"""Valence terms as a System of OpenMM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.errors import ArgumentError
from interpmd.extras import required
from interpmd.fitting.distil.cross import Cross
from interpmd.fitting.distil.equations import LinearModel
from interpmd.fitting.distil.pairs import FIRST_KNOT
from interpmd.fitting.distil.valence import Nonbonded, Valence

#: kJ/mol in one eV, of the CODATA values of 2018, with which OpenMM's units are consistent.
KILOJOULES = 96.48533212331002

#: Å in one nm.
ANGSTROMS = 10.0


def system_of(
    model: LinearModel, coefficients: Sequence[np.ndarray], atoms: Atoms, with_xml: bool = False
) -> tuple[Any, str]:
    """The System, and its XML where that is wanted.

    Raises:
        ArgumentError: terms that are no valence terms.
        StructureError: other atoms than those of the frames.
        MissingPackageError: OpenMM is not installed.
    """
    mm = required("openmm", "a System of OpenMM")
    system = mm.System()
    for mass in atoms.get_masses():
        system.addParticle(float(mass))
    if atoms.pbc.any():
        if not atoms.pbc.all():
            raise ArgumentError(
                f"OpenMM repeats a structure in all directions or in none, not pbc={atoms.pbc}"
            )
        system.setDefaultPeriodicBoxVectors(*(np.asarray(atoms.cell) / ANGSTROMS))
    for name, term, c in zip(model.stages, model.terms, coefficients, strict=True):
        term.check(atoms)
        if isinstance(term, Nonbonded):
            forces = _nonbonded(mm, term, c, atoms)
        elif isinstance(term, Valence):
            forces = _curves(mm, term, c)
        elif isinstance(term, Cross):
            forces = _products(mm, term, c)
        else:
            raise ArgumentError(
                f"OpenMM gets bonds, angles, torsions, nonbonded and cross terms, and {name} is "
                'none of them: distil terms="valence", or write_uf3 for LAMMPS'
            )
        for force in forces:
            force.setName(f"{name}: {force.getName()}")
            if not isinstance(force, mm.CustomNonbondedForce):
                force.setUsesPeriodicBoundaryConditions(bool(atoms.pbc.any()))
            system.addForce(force)
    return system, mm.XmlSerializer.serialize(system) if with_xml else ""


def _curves(mm: Any, term: Valence, coefficients: np.ndarray) -> list[Any]:
    """One force for each curve."""
    forces = []
    width = term.atoms.shape[1]
    places = tuple(range(1, width + 1))
    for number, head in enumerate(term.heads):
        own = coefficients[number * term.each : (number + 1) * term.each]
        value = X[term.what].format(",".join(f"p{p}" for p in places))
        if term.form.periodic:
            series = "+".join(f"({c!r})*cos({n + 1}*x)" for n, c in enumerate(own.tolist()))
            expression = f"{KILOJOULES!r}*({series}); x={value}"
        else:
            start, end = float(term.start[number]), float(term.end[number])
            expression = f"{KILOJOULES!r}*({_continued(term, own, start, end)}); x={value}"
            if term.what == "planes":
                expression += f"; q={_plane(places)}"
        force = mm.CustomCompoundBondForce(width, expression)
        if not term.form.periodic:
            # through its values at the knots it is the same curve, with straight ends
            x = np.linspace(start, end, term.spline.intervals + 1)
            values = term.spline.matrix(x, start, end) @ own
            force.addTabulatedFunction("f", mm.Continuous1DFunction(values.tolist(), start, end))
        force.setName(term.topo.named(term.atoms[head]))
        for members in term.atoms[term.curve == number].tolist():
            force.addBond(members, [])
        forces.append(force)
    return forces


#: What the value of a curve is, in the words of OpenMM.
X = {
    "stretches": f"{ANGSTROMS}*distance({{}})",
    "angles": "angle({})",
    "bends": "cos(angle({}))",
    "dihedrals": "dihedral({})",
    "planes": "q^2",
}

#: Pyramidality of the second, third and fourth particle about the first, unit vectors written out.
PLANE = (
    "(ax*(by*cz-bz*cy)+ay*(bz*cx-bx*cz)+az*(bx*cy-by*cx))"
    "/sqrt((ax^2+ay^2+az^2)*(bx^2+by^2+bz^2)*(cx^2+cy^2+cz^2))"
)


def _continued(term: Valence, own: np.ndarray, start: float, end: float) -> str:
    """A tabulated function that goes on as a straight line beyond both ends."""
    slopes = term.spline.matrix(np.array([start, end]), start, end, slope=True) @ own
    low, high = (repr(float(s)) for s in slopes)
    return (
        f"f(min(max(x,{start!r}),{end!r}))+({low})*min(x-({start!r}),0)+({high})*max(x-({end!r}),0)"
    )


def _plane(particles: Sequence[int]) -> str:
    """The pyramidality, and the vectors that it is made of."""
    centre, *ends = particles
    vectors = [
        f"{name}{axis}={axis}{end}-{axis}{centre}"
        for name, end in zip("abc", ends, strict=True)
        for axis in "xyz"
    ]
    return "; ".join([PLANE, *vectors])


def _nonbonded(mm: Any, term: Nonbonded, coefficients: np.ndarray, atoms: Atoms) -> list[Any]:
    """One force for each pair of elements that occurs."""
    forces = []
    excluded = term.excluded()
    for number, (a, b) in enumerate(term.pairs):
        first, second = (np.flatnonzero(atoms.numbers == z).tolist() for z in (a, b))
        if not first or not second:
            continue
        size = term.spline.size
        own = coefficients[number * size : (number + 1) * size]
        x = np.linspace(FIRST_KNOT, term.cutoff, term.spline.intervals + 1)
        values = term.spline.matrix(x, FIRST_KNOT, term.cutoff) @ own
        force = mm.CustomNonbondedForce(f"{KILOJOULES!r}*f({ANGSTROMS}*r)")
        force.addTabulatedFunction(
            "f", mm.Continuous1DFunction(values.tolist(), FIRST_KNOT, term.cutoff)
        )
        periodic = atoms.pbc.any()
        force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.CutoffNonPeriodic)
        force.setCutoffDistance(term.cutoff / ANGSTROMS)
        for _ in range(len(atoms)):
            force.addParticle([])
        for i, j in excluded:
            force.addExclusion(i, j)
        force.addInteractionGroup(first, second)
        force.setName(f"{a}-{b}")
        forces.append(force)
    return forces


def _products(mm: Any, term: Cross, coefficients: np.ndarray) -> list[Any]:
    """One force for each way in which two coordinates share their atoms."""
    groups: dict[tuple, list[tuple[list[int], list[float]]]] = defaultdict(list)
    for (p, q), column in zip(term.products.tolist(), term.column.tolist(), strict=True):
        one, other = term.features[p], term.features[q]
        particles = list(dict.fromkeys((*one.atoms, *other.atoms)))
        places = [tuple(particles.index(a) + 1 for a in f.atoms) for f in (one, other)]
        key = tuple(
            (f.what, f.function, f.multiple, w) for f, w in zip((one, other), places, strict=True)
        )
        numbers = [float(coefficients[column]), one.origin, one.scale, other.origin, other.scale]
        groups[key].append((particles, numbers))
    forces = []
    for (one, other), rows in groups.items():
        count = len(rows[0][0])
        first, second = _word(*one, "1"), _word(*other, "2")
        definitions = [d for d in (first[1], second[1]) if d]
        expression = "; ".join([f"{KILOJOULES!r}*k*({first[0]})*({second[0]})", *definitions])
        force = mm.CustomCompoundBondForce(count, expression)
        for name in ("k", "o1", "s1", "o2", "s2"):
            force.addPerBondParameter(name)
        for particles, numbers in rows:
            force.addBond(particles, numbers)
        force.setName(f"{one[0]} with {other[0]}")
        forces.append(force)
    return forces


def _word(
    what: str, function: str, multiple: int, places: Sequence[int], number: str
) -> tuple[str, str]:
    """A feature in the words of OpenMM, and what it defines."""
    listed = ",".join(f"p{p}" for p in places)
    if what == "dihedrals":
        return f"{function}({multiple}*dihedral({listed}))", ""
    words = {
        "stretches": f"{ANGSTROMS}*distance({listed})",
        "angles": f"angle({listed})",
        "bends": f"cos(angle({listed}))",
        "planes": f"plane{number}",
    }
    definition = ""
    if what == "planes":
        text = _plane(places)
        for name in "abc":
            for axis in "xyz":
                text = text.replace(f"{name}{axis}", f"{name}{axis}{number}")
        definition = f"plane{number}={text}"
    return f"({words[what]}-o{number})/s{number}", definition
