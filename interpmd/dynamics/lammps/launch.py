"""Starting the ranks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from interpmd import arguments
from interpmd.dynamics.engines.lammps_library import mpi_library
from interpmd.dynamics.lammps import last_words
from interpmd.dynamics.lammps.script import read_script
from interpmd.errors import MissingPackageError, SimulationError
from interpmd.extras import required


def run_lammps(script: str | Path, ranks: int = 1, options: Sequence[str] = ()) -> None:
    """Run an input script of LAMMPS whose pair style is ``interpmd``; its output is shown.

    Args:
        script: see `interpmd.dynamics.lammps`.
        ranks: number of processes of MPI.
        options: of LAMMPS, such as ("-var", "T", "300") or ("-log", "none").

    Raises:
        ArgumentError: ranks below 1.
        MissingPackageError: LAMMPS or MPI are not installed.
        SimulationError: the script lacks the lines that name the potential, or LAMMPS ended with
            an error, whose words it repeats where a rank could leave them.
    """
    arguments.count(ranks=ranks)
    read_script(script)  # raises here, once
    required("lammps", "LAMMPS")
    if (
        find_spec("mpi4py") is None
    ):  # not loaded here: ASE would take itself for one of several processes
        raise MissingPackageError("LAMMPS needs mpi4py: pip install 'interpmd[engines]'")
    command = [sys.executable, "-m", "interpmd.dynamics.lammps.rank", str(script), *options]
    here = dict(os.environ)
    if (mpi := mpi_library()) is not None:
        paths = (str(Path(mpi).resolve().parent), here.get("LD_LIBRARY_PATH", ""))
        here["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, paths))
    for threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        here.setdefault(threads, "1")
    if ranks > 1:
        command = [_starter(), "-n", str(ranks), *command]
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(command, env=here | {last_words.FOLDER: folder}, check=False)
        said = last_words.found(folder)
    if ended.returncode:
        code = ended.returncode
        raise SimulationError(said or f"LAMMPS ended with code {code}; its output says why")


def _starter() -> str:
    """The program that starts ranks, of this environment first."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("mpiexec", path=places)
    if found is None:
        raise MissingPackageError("several ranks need mpiexec: pip install 'interpmd[engines]'")
    return found
