"""Languages of barriers: whether their tables close, and whether known reasons come out.

python benchmarks/paths.py [PICTURE]    a name ends in .png; docs/languages.png is one
"""

from __future__ import annotations

import sys

import matplotlib.pyplot as plt
import numpy as np
from ase import Atoms
from ase.build import molecule
from results import record

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.reference.calculator import as_calculator

QUIET = {"progress": False}


def proton_transfer() -> tuple[im.Path, im.PathExplanation]:
    """Malonaldehyde: band, then the reaction coordinate from its top, by the shipped potential."""
    potential = im.load("malonaldehyde")
    reactant = im.relax(potential, MALONALDEHYDE, **QUIET).atoms
    product = reactant.copy()
    way = reactant.positions[4] - reactant.positions[0]
    product.positions[8] = reactant.positions[0] + way / np.linalg.norm(way)
    band = im.path(potential, reactant, product, force=0.05, **QUIET)
    down = im.path(potential, band.top, force=0.02, step_length=0.05, **QUIET)
    return down, im.explain_path(potential, down, **QUIET)


def rotation() -> tuple[im.Path, im.PathExplanation, im.PathExplanation]:
    """Butane from trans to cis by GFN2-xTB, in both gauges of a molecule."""
    calculator = as_calculator("gfn2-xtb")
    trans = im.relax(calculator, molecule("trans-butane"), **QUIET).atoms
    angles = np.linspace(180, 0, 19)
    path = im.scan(calculator, trans, (0, 1, 2, 3), angles, force=0.005, **QUIET)
    tables = [im.explain_path(calculator, path, gauge=g, **QUIET) for g in ("internal", "groups")]
    return path, *tables


def dissociation() -> im.PathExplanation:
    """A water dimer pulled apart, by GFN2-xTB."""
    donor, acceptor = [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 0)], [(2.9, 0, 0)]
    hydrogens = [(3.3, 0.5, 0.72), (3.3, 0.5, -0.72)]
    dimer = Atoms("OH2OH2", [*donor, *acceptor, *hydrogens])
    calculator = as_calculator("gfn2-xtb")
    relaxed = im.relax(calculator, dimer, force=0.003, **QUIET).atoms
    path = im.scan(calculator, relaxed, (0, 3), np.arange(2.8, 6.1, 0.2), **QUIET)
    return im.explain_path(calculator, path, **QUIET)


def picture(
    proton: im.PathExplanation, groups: im.PathExplanation, dimer: im.PathExplanation, name: str
) -> None:
    """The three examples of the page, side by side."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    proton.reaction_force().plot(axes[0])
    strain = groups.strain("first")
    rows = groups.to_frame()
    lines = {
        "turned bond": rows["CH2(1) · CH2(2)"],
        "methyl on methyl": rows["CH3(0) · CH2(1) · CH2(2) · CH3(3)"],
        "strain of groups": strain.strain.sum(axis=1),
    }
    lines["others"] = rows["sum"] - sum(lines.values())
    series = {word: np.asarray(line) for word, line in lines.items()}
    im.plots.row_lines(groups.coordinate, series, x=groups.axis, ax=axes[1])
    dimer.strain().plot(ax=axes[2])
    titles = ("malonaldehyde: reaction force", "butane: rotation", "water dimer: strain")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title, fontsize=11, pad=34, loc="left")
        if ax.get_legend() is not None:
            ax.legend(frameon=False, fontsize=9)
    figure.savefig(name, dpi=110)


def main() -> None:
    down, proton = proton_transfer()
    path, bonded, groups = rotation()
    dimer = dissociation()
    tables = (proton, bonded, groups, dimer)
    for name in sys.argv[1:]:
        picture(proton, groups, dimer, name)
    slopes = max(float(np.abs(table.reg().slopes.sum() - 1).max()) for table in tables)
    strains = [dimer.strain(), dimer.strain("first"), groups.strain("first")]
    force = proton.reaction_force()
    rows = groups.to_frame()
    middle, ends = rows["CH2(1) · CH2(2)"], rows["CH3(0) · CH2(1) · CH2(2) · CH3(3)"]
    strain = groups.strain("first").strain.sum(axis=1)
    energies = path.energies - path.energies[0]
    well, donor = dimer.strain(), dimer.inside(0).by("kind").to_frame()
    record(
        {
            "paths: rows against the model's energy": (
                f"{max(table.residual for table in tables):.1e} eV (4 paths)"
            ),
            "paths: slopes of relative energy gradients, sum less one": f"{slopes:.1e}",
            "paths: strain and interaction against the model's energy": (
                f"{max(one.residual for one in strains):.1e} eV (3 tables)"
            ),
            "paths: works of rows against those of the reaction force": f"{force.residual:.1e} eV",
            "paths: what integrals from frame to frame miss, by splines": (
                f"{1000 * proton.unresolved:.3f} meV of {1000 * down.barrier:.0f} "
                f"({len(down)} frames), {1000 * bonded.unresolved:.3f} meV of "
                f"{1000 * path.barrier:.0f} ({len(path)} frames)"
            ),
            "paths: malonaldehyde's proton, reaction force W1, W2, W3, W4": (
                ", ".join(f"{work:+.3f}" for work in force.works) + " eV"
            ),
            "paths: butane at 120° and at 0°": (
                f"{energies[6]:.3f}, {energies[-1]:.3f} eV, of which the turned bond "
                f"{middle.iloc[6]:.3f}, {middle.iloc[-1]:.3f}, methyl on methyl "
                f"{ends.iloc[6]:+.3f}, {ends.iloc[-1]:+.3f}, strain of groups "
                f"{strain.iloc[6]:.3f}, {strain.iloc[-1]:.3f} eV (GFN2-xTB)"
            ),
            "paths: water dimer at 2.8 Å, strain of the donor, the acceptor, interaction": (
                f"{well.strain['H2O(0)'].iloc[0]:+.4f}, {well.strain['H2O(3)'].iloc[0]:+.4f}, "
                f"{well.interaction.iloc[0].sum():+.3f} eV; of the donor's strain its bonds "
                f"{-donor['bond'].iloc[-1]:.4f}, its angle {-donor['angle'].iloc[-1]:.4f} eV "
                "(GFN2-xTB)"
            ),
        },
        "python benchmarks/paths.py",
    )


if __name__ == "__main__":
    main()
