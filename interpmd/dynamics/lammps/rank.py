"""One rank of LAMMPS with a potential of interpmd: ``python -m interpmd.dynamics.lammps.rank``."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from interpmd.dynamics.engines.lammps_library import mpi_library
from interpmd.dynamics.lammps import last_words
from interpmd.dynamics.lammps.forces import FIX, RankForces
from interpmd.dynamics.lammps.script import Script, read_script
from interpmd.extras import required
from interpmd.potentials.shelf import load_potential
from interpmd.structures.threads import one_thread


def communicator() -> Any:
    """All ranks, in the library of MPI that LAMMPS uses."""
    if (mpi := mpi_library()) is not None:
        ctypes.CDLL(mpi, mode=ctypes.RTLD_GLOBAL)
    import mpi4py

    mpi4py.rc.threads = False
    from mpi4py import MPI

    return MPI.COMM_WORLD


def run_script(script: Script, world: Any, options: list[str]) -> None:
    """Run a script on this rank; all ranks together.

    Args:
        script: see `interpmd.dynamics.lammps.script`.
        world: communicator of MPI.
        options: of LAMMPS, such as -var or -log.
    """
    potential = load_potential(script.potential)
    lammps = required("lammps", "LAMMPS").lammps(cmdargs=options)
    lammps.commands_string(script.before)
    cutoff = max(potential.cutoff, 0.5)
    lammps.commands_string(
        f"pair_style zero {cutoff!r} nocoeff full\n"
        "pair_coeff * *\n"
        f"fix {FIX} all external pf/callback 1 1\n"
        f"fix_modify {FIX} energy yes virial yes"
    )
    forces = RankForces(lammps, potential, script.elements, world, script.precision)
    lammps.set_fix_external_callback(FIX, forces)
    lammps.commands_string(script.after)
    lammps.close()
    spent = world.gather((forces.seconds, forces.least))
    if world.rank == 0:
        sums, least = (" ".join(f"{s:.3g}" for s in each) for each in zip(*spent, strict=True))
        print(
            f"interpmd: processor time of forces by rank: {sums} s, least of a step: {least} s",
            flush=True,
        )


def main() -> None:
    """Run the script that the command line names; an error of one rank ends all."""
    world = communicator()
    path, *options = sys.argv[1:]
    try:
        with one_thread():
            run_script(read_script(path), world, options)
    except Exception as error:
        last_words.leave(world.rank, error)
        world.Abort(2)


if __name__ == "__main__":
    main()
