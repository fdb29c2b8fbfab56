"""Labels that lie: units, signs, frames, outliers, copies, and nothing to learn."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from hard_inputs.case import Case
from interpmd.potentials.base import TERMS

SMALL = {"channels": (12, 12, 8), "lmax": 2, "basis": 6, "functions": 12, "cutoff": 4.5}

ARGON = im.Potential(
    {
        "isolated": TERMS["isolated"]({18: -0.5}),
        "lj": TERMS["lennard_jones"](epsilon=0.2, sigma=2.3, cutoff=4.5),
    }
)


def fit(frames, **arguments):
    """A fit of a second."""
    settings = {"isolated_energies": "average", "spec": SMALL, "ridge": 1e-6, "progress": False}
    return im.fit(frames, **(settings | arguments))


def labelled(atoms, calculator):
    """The structure with the labels of a calculator."""
    atoms.calc = calculator
    results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
    if atoms.pbc.all():
        results["stress"] = atoms.get_stress()
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def changed(atoms, **changes):
    """A copy whose labels are functions of the old ones."""
    old = dict(atoms.calc.results)
    copy = atoms.copy()
    new = old | {name: change(old[name]) for name, change in changes.items()}
    copy.calc = SinglePointCalculator(copy, **new)
    return copy


@cache
def materials() -> dict[str, list[Atoms]]:
    """Right labels of four kinds."""
    rng = np.random.default_rng(0)
    strained, argon, molecules = [], [], []
    model = im.load("malonaldehyde").calculator()
    for seed in range(40):
        atoms = bulk("Cu", cubic=True)
        cell = atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.03, size=(3, 3)))
        atoms.set_cell(cell, scale_atoms=True)
        atoms.rattle(0.08, seed=seed)
        strained.append(labelled(atoms, EMT()))
        atoms = bulk("Ar", a=np.random.default_rng(seed).uniform(3.5, 3.9), cubic=True)
        atoms.rattle(0.1, seed=seed)
        argon.append(labelled(atoms, ARGON.calculator()))
        atoms = im.demo.MALONALDEHYDE.copy()
        atoms.rattle(0.04, seed=seed)
        molecules.append(labelled(atoms, model))
    fixed = []
    for seed in range(20):
        atoms = bulk("Al", cubic=True) * (2, 2, 2)
        atoms.rattle(0.08, seed=seed)
        fixed.append(labelled(atoms, EMT()))
    return {
        "malonaldehyde": molecules,
        "strained copper": strained,
        "argon": argon,
        "aluminium": fixed,
    }


def times(factor, name, frames):
    """All labels of one name times a factor."""
    return [changed(a, **{name: lambda x: factor * x}) for a in frames]


def in_bohr(frames):
    """Positions and cells in bohr."""
    made = []
    for atoms in frames:
        copy = atoms.copy()
        copy.set_cell(copy.cell.array / units.Bohr)
        copy.positions = atoms.positions / units.Bohr
        copy.calc = SinglePointCalculator(copy, **atoms.calc.results)
        made.append(copy)
    return made


def shuffled(frames):
    """Forces of another frame."""
    order = np.random.default_rng(1).permutation(len(frames))
    forces = [frames[i].calc.results["forces"] for i in order]
    return [
        changed(a, forces=lambda f, new=new: new) for a, new in zip(frames, forces, strict=True)
    ]


def shifted(frames, step=1):
    """Energies of the frame before."""
    energies = [frames[(i - step) % len(frames)].calc.results["energy"] for i in range(len(frames))]
    return [
        changed(a, energy=lambda e, new=new: new) for a, new in zip(frames, energies, strict=True)
    ]


def permuted(frames):
    """Forces of other atoms of the frame."""
    rng = np.random.default_rng(2)
    return [changed(a, forces=rng.permutation) for a in frames]


ATOMIC = units.Hartree / units.Bohr
FORCES = {
    "forces negated": (partial(times, -1.0, "forces"), "wrong sign"),
    "forces in Hartree/bohr": (partial(times, 1 / ATOMIC, "forces"), "Hartree/bohr"),
    "forces in Hartree/A": (partial(times, 1 / units.Hartree, "forces"), "be in Hartree/Å"),
    "forces in kcal/mol/A": (partial(times, units.mol / units.kcal, "forces"), "kcal/mol/Å"),
    "forces in kJ/mol/A": (partial(times, units.mol / units.kJ, "forces"), "kJ/mol/Å"),
    "forces in eV/bohr": (partial(times, units.Bohr, "forces"), "eV/bohr|Hartree and the forces"),
    "negated forces in Hartree/bohr": (partial(times, -1 / ATOMIC, "forces"), "sign.*Hartree/bohr"),
    "energies in Hartree": (partial(times, 1 / units.Hartree, "energy"), "energies .* in Hartree"),
    "energies in kcal/mol": (
        partial(times, units.mol / units.kcal, "energy"),
        "energies .* in kcal/mol",
    ),
    "energies in kJ/mol": (partial(times, units.mol / units.kJ, "energy"), "energies .* in kJ/mol"),
    "positions in bohr": (in_bohr, "positions seem to be in bohr|unit of the positions"),
    "forces of other frames": (shuffled, "forces"),
    "forces of other atoms": (permuted, "forces"),
    "energies shifted by one frame": (shifted, "shifted by -1 frame"),
    "energies shifted the other way": (partial(shifted, step=-1), "shifted by \\+1 frame"),
    "forces all zero": (partial(times, 0.0, "forces"), "no symmetry makes them so"),
    "energies all zero": (partial(times, 0.0, "energy"), "all energies are 0"),
    "one energy for all": (lambda x: some(x, 1, energy=lambda e: -5.0), "one energy was copied"),
}

STRESS = {
    "stress with the wrong sign": (lambda s, v: -s, "wrong sign"),
    "stress in GPa": (lambda s, v: s / units.GPa, "in GPa"),
    "stress in kbar, as a pressure": (lambda s, v: -10 * s / units.GPa, "in kbar"),
    "stress in Hartree/bohr^3": (lambda s, v: s / (units.Hartree / units.Bohr**3), "Hartree/bohr³"),
    "stress in MPa": (lambda s, v: 1e3 * s / units.GPa, "MPa"),
    "virial as stress": (lambda s, v: v * s, "virial.*sign of a stress"),
    "negative virial as stress": (lambda s, v: -v * s, "virial.*minus the stress"),
    "stress all zero": (lambda s, v: 0 * s, "stress is zero|no information"),
}


def one(frames, index=7, **changes):
    """One frame changed."""
    return [changed(a, **changes) if i == index else a for i, a in enumerate(frames)]


def some(frames, step, **changes):
    """Every so many frames changed."""
    return [changed(a, **changes) if i % step == 0 else a for i, a in enumerate(frames)]


#: What happens to frame 7, and what is said of it.
ONE_FRAME = {
    "one energy +50 eV": ({"energy": lambda e: e + 50}, "energies of frame 7"),
    "one energy +1000 eV": ({"energy": lambda e: e + 1000}, "energies of frame 7"),
    "one energy -10 eV": ({"energy": lambda e: e - 10}, "energies of frame 7"),
    "one frame with forces x 100": ({"forces": lambda f: 100 * f}, "forces of frame 7"),
    "one frame with forces negated": ({"forces": lambda f: -f}, "forces of frame 7"),
    "one frame without forces filled in": ({"forces": lambda f: 0 * f}, "frame 7 are zero"),
    "one frame with forces of other atoms": ({"forces": lambda f: f[::-1]}, "forces of frame 7"),
}

#: What happens to the stress of frame 17.
ONE_STRESS = {
    "one stress negated": (lambda s: -s, "stress of frame 17"),
    "one stress not filled in": (lambda s: 0 * s, "stress of frame 17 is zero"),
    "one stress in GPa": (lambda s: s / units.GPa, "stress of frame 17"),
}

#: What happens to every fifth frame.
FIFTH = {
    "a fifth of the energies in Hartree": (
        {"energy": lambda e: e / units.Hartree - 3},
        "energies of frames",
    ),
    "a fifth of the forces in Hartree/bohr": (
        {"forces": lambda f: f / ATOMIC},
        "forces of frames|forces seem to be in Hartree/bohr",
    ),
}


def curve(change=lambda s, v: s):
    """A volume curve of one-atom cells, whose forces vanish by symmetry."""
    made = [labelled(bulk("Cu", a=3.6 * x), EMT()) for x in np.linspace(0.92, 1.1, 20)]
    return with_stress(change, made)


def with_stress(change, frames):
    """Stresses changed, each with the volume of its cell."""
    return [changed(a, stress=partial(_of_volume, change, a.get_volume())) for a in frames]


def _of_volume(change, volume, stress):
    return change(stress, volume)


def cases() -> Iterator[Case]:
    """All cases of lying labels."""
    for material, frames in materials().items():
        for name, (lie, words) in FORCES.items():
            yield Case(
                f"{name}, {material}", partial(lambda lie, x: fit(lie(x)), lie, frames), words
            )
        for name, (changes, words) in ONE_FRAME.items():
            run = partial(lambda x, c: fit(one(x, **c)), frames, changes)
            yield Case(f"{name}, {material}", run, words)
        for name, (changes, words) in FIFTH.items():
            run = partial(lambda x, c: fit(some(x, 5, **c)), frames, changes)
            yield Case(f"{name}, {material}", run, words)
    crystals = {name: x for name, x in materials().items() if name != "malonaldehyde"}
    for name, (lie, words) in STRESS.items():
        for material, frames in crystals.items():
            run = partial(lambda lie, x: fit(with_stress(lie, x)), lie, frames)
            yield Case(f"{name}, {material}", run, words)
        yield Case(f"{name}, volume curve", partial(lambda lie: fit(curve(lie)), lie), words)
    for name, (lie, words) in ONE_STRESS.items():
        for material, frames in crystals.items():
            run = partial(lambda lie, x: fit(one(x, 17, stress=lie)), lie, frames)
            yield Case(f"{name}, {material}", run, words)
    yield from _nothing_to_learn()
    yield from _sets()
    yield from _isolated()


def _nothing_to_learn() -> Iterator[Case]:
    argon = materials()["argon"]
    yield Case("a volume curve alone", lambda: fit(curve()), "carry no information")
    yield Case("energies near a volume curve", lambda: abs(_after_a_step()) < 0.01)
    yield Case(
        "twenty copies of one frame", lambda: fit([argon[0]] * 20), "copies of one structure"
    )
    far = [
        labelled(Atoms("Ar2", [[0, 0, 0], [0, 0, 20 + k]]), ARGON.calculator()) for k in range(8)
    ]
    yield Case("atoms beyond the cutoff", lambda: fit(far), "no atom of any frame has a neighbour")
    nothing = [changed(a, energy=lambda e: 0.0, forces=lambda f: 0 * f) for a in argon]
    yield Case("all labels zero", lambda: fit(nothing), "all energies are 0")
    yield Case(
        "all weights zero", lambda: fit(argon, subset_weights={"all": 0.0}), "all weights are 0"
    )
    yield Case("single atoms alone", lambda: fit(_alone(-0.5)), "single atoms only")
    yield Case("too few frames to check", lambda: "could not be checked" in str(fit(argon[:3])))


def _after_a_step() -> float:
    potential = fit(curve()).potential
    atoms = bulk("Cu", cubic=True)
    still = float(potential.predict(atoms).energy)
    atoms.rattle(1e-3, seed=1)
    return float(potential.predict(atoms).energy) - still


def _alone(*energies, **info):
    made = []
    for energy in energies:
        atoms = Atoms("Ar", info=dict(info))
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=np.zeros((1, 3)))
        made.append(atoms)
    return made


def _told(frames, key, values):
    """Copies whose info says something, value by value in turn."""
    made = []
    for index, atoms in enumerate(frames):
        copy = changed(atoms)
        copy.info[key] = values[index % len(values)]
        made.append(copy)
    return made


def _sets() -> Iterator[Case]:
    frames = materials()["malonaldehyde"]
    for key in ("level", "functional", "xc"):
        yield Case(
            f"mixed levels in {key}",
            lambda key=key: fit(_told(frames, key, ["pbe", "b3lyp"])),
            "2 levels of theory",
        )
    yield Case(
        "one level spelled twice", lambda: fit(_told(frames, "level", ["PBE", " pbe"])) is not None
    )
    other = _told(frames[:3], "level", ["gfn2-xtb"])
    yield Case(
        "test frames of another level",
        lambda: fit(_told(frames[5:], "level", ["pbe"]), test=other),
        "of level gfn2-xtb",
    )
    for key, values in {
        "charge": [0, 1],
        "total_charge": [0, -1],
        "multiplicity": [1, 3],
        "spin": [1, 3],
    }.items():
        yield Case(
            f"mixed {key}",
            lambda key=key, values=values: fit(_told(frames, key, values)),
            "more than one (charge|multiplicity)",
        )
    yield Case(
        "copies in the training data", lambda: fit([*frames, *frames[:5]]), "are copies of others"
    )
    twice = [*frames, changed(frames[3], energy=lambda e: e + 0.2)]
    yield Case("copies with two energies", lambda: fit(twice), "one structure with two energies")
    yield Case(
        "test frames in the training data",
        lambda: fit(frames, test=frames[:4]),
        "test frames are in the training data",
    )
    yield Case(
        "validation frames in the training data",
        lambda: fit(frames, valid=frames[:4]),
        "valid frames are in the training data",
    )
    bad = one(frames, energy=lambda e: e + 50)
    yield Case("outliers left out on request", lambda: _left_out(bad, frames))
    kcal = units.mol / units.kcal
    true = {"H": -13.6057, "C": -1029.8, "O": -2042.7}
    total = 4 * true["H"] + 3 * true["C"] + 2 * true["O"]
    high = [
        changed(a, energy=lambda e: kcal * (e + total), forces=lambda f: kcal * f) for a in frames
    ]
    given = {key: kcal * value for key, value in true.items()}
    yield Case(
        "kcal/mol throughout, all electrons",
        lambda: fit(high, isolated_energies=given),
        "energies seem to be in kcal/mol",
    )
    kj = [changed(a, energy=lambda e: 96.485 * e, forces=lambda f: 96.485 * f) for a in frames]
    level = float(np.mean([a.calc.results["energy"] for a in frames])) + 9 * 5.0
    yield Case(
        "kJ/mol throughout, valence electrons",
        lambda: fit(kj, isolated_energies=dict.fromkeys("HCO", 96.485 * level / 9)),
        "energies seem to be in k",
    )


def _left_out(bad, frames) -> bool:
    mended = fit(bad, outliers="leave out", test=frames[30:])
    right = fit([a for i, a in enumerate(bad) if i != 7], test=frames[30:])
    error = [r.errors().loc["test", "energy_rmse_meV"] for r in (mended, right)]
    return abs(error[0] - error[1]) < 1e-6 * error[1]


def _isolated() -> Iterator[Case]:
    argon = materials()["argon"]

    def energy(frames, given=None):
        found = fit(frames, isolated_energies=given, ridge=1e-4).potential
        return float(found.predict(Atoms("Ar")).energy)

    def boxed(**info):
        atoms = Atoms("Ar", cell=[20] * 3, pbc=True, info=info)
        return labelled(atoms, ARGON.calculator())

    for mark in (
        None,
        "single_atom",
        "isolated_atom",
        "IsolatedAtom",
        "isolated atom",
        "Single-Atom",
    ):
        info = {} if mark is None else {"config_type": mark}
        yield Case(
            f"an atom in a box, {mark}",
            lambda info=info: abs(energy([*argon, boxed(**info)]) + 0.5) < 1e-9,
        )
    for key in ("18", "Ar", 18):
        yield Case(
            f"isolated_energies by {key!r}",
            lambda key=key: abs(energy(argon, {key: -0.5}) + 0.5) < 1e-9,
        )
    yield Case('isolated_energies="average"', lambda: np.isfinite(energy(argon, "average")))
    yield Case("isolated_energies misspelled", lambda: energy(argon, "averag"), '"average", not')
    yield Case("isolated_energies of no element", lambda: energy(argon, {"Xy": 0.0}), "Xy")
    yield Case("isolated_energies NaN", lambda: energy(argon, {"Ar": np.nan}), "an energy in eV")
    yield Case(
        "two isolated atoms that contradict",
        lambda: energy([*argon, *_alone(-0.5, -0.9)]),
        "are both an isolated Ar atom",
    )
    yield Case(
        "an isolated atom against the argument",
        lambda: energy([*argon, *_alone(-0.5)], {"Ar": -0.9}),
        "give one of them",
    )
    dense = labelled(bulk("Ar", a=5.3), ARGON.calculator())
    dense.info["config_type"] = "isolated_atom"
    yield Case(
        "a crystal called an isolated atom", lambda: energy([*argon, dense]), "its images are only"
    )
    dimer = labelled(Atoms("Ar2", [[0, 0, 0], [0, 0, 3]]), ARGON.calculator())
    dimer.info["config_type"] = "single_atom"
    yield Case("a dimer called an isolated atom", lambda: energy([*argon, dimer]), "has 2 atoms")
