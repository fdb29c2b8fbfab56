"""LAMMPS on one or several ranks, each of which evaluates its own atoms.

A script of LAMMPS names a potential of interpmd like one of its own:

    pair_style  interpmd water
    pair_coeff  * * O H

and is run by ``interpmd lammps input.lmp -np 2``. All else is LAMMPS' matter: integrators,
thermostats, barostats, output, restart files.
"""

from interpmd.dynamics.lammps.launch import run_lammps

__all__ = ["run_lammps"]
