"""The same numbers, quickly: potentials on CPUs by code that is generated for them.

The energy of a site is a polynomial with a few thousand terms in quantities that are sums over
its neighbours. Written as operations on whole tensors, most of the time goes into moving them.
Here the polynomial of a given shape becomes straight-line machine code that keeps its values in
registers, and the steps around it become a few loops:

* `recipe`: weights and radial functions of an expansion as flat arrays and tables
* `emit`: writing LLVM code from Python; `invariants`, `harmonics`, `density`: the code
* `machine`: compiled for this processor in a fraction of a second, kept on disk
* `few`, `many`: the loop over sites, for few and many neighbours (numba); `neighbours`: who they
  are; `analytic`: the terms with a formula; `error_bars`: several read-outs at
  once; `distances`: what they alone say; `feature_code`, `features`: the rows of the fit, and
  `products`: these times vectors
* `expansion`, `evaluator`, `terms`: all of that behind one call each

Energies agree with the torch path to 5e-11 eV an atom and forces to 5e-10 eV/A: a test runs over
all terms. Gates, training and GPUs stay in torch.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from interpmd.potentials.base import LocalTerm
    from interpmd.potentials.fast.distances import InNumba
    from interpmd.potentials.fast.evaluator import FastPotential
    from interpmd.potentials.fast.features import FeatureMaker
    from interpmd.potentials.sum import TermSum
    from interpmd.structures.edges import Environments, Neighbours
    from interpmd.structures.systems import Batch


class SlowPathWarning(UserWarning):
    """The fast evaluator is not installed."""


@cache
def available() -> bool:
    """Whether numba and LLVM are installed; says so once if they are not."""
    missing = [n for n in ("numba", "llvmlite") if importlib.util.find_spec(n) is None]
    if missing:
        warnings.warn(
            f"{' and '.join(missing)} not installed: potentials run on torch, 20 to 80 times "
            "slower; pip install 'interpmd[fast]'",
            SlowPathWarning,
            stacklevel=4,
        )
    return not missing


def ready(potential: TermSum, precision: str = "float64") -> FastPotential | None:
    """A potential made ready, or None where torch is the way.

    That is on GPUs, in float32, without numba, and if none of the terms has a fast form.

    Args:
        potential: it keeps what was made ready, and is looked at for changes in every call.
        precision: of the evaluator; "float32" gives forces good to 1e-5 eV/A.
    """
    if not available():
        return None
    from interpmd.potentials.fast.evaluator import prepare

    return prepare(potential, precision)


def near(potential: TermSum, batch: Batch, pairs: Neighbours | None = None) -> InNumba | None:
    """Who is near whom in structures, or None where torch is the way; see `InNumba`."""
    positions = batch.positions
    if positions.device.type != "cpu" or positions.element_size() != 8:
        return None
    prepared = ready(potential)
    if prepared is None:
        return None
    from interpmd.potentials.fast.distances import InNumba

    return InNumba(prepared.edges(batch, pairs), batch.numbers.numpy())


def deviations(
    potential: TermSum, near: InNumba, draws: int | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Deviations of site energies and forces under the posterior, or None where torch is the way.

    See `interpmd.potentials.fast.error_bars.deviations`.
    """
    prepared = _ready_with_samples(potential)
    if prepared is None:
        return None
    from interpmd.potentials.fast import error_bars

    return error_bars.deviations(prepared, near.edges, near.numbers, draws)


def glance(potential: TermSum, atoms: Atoms, draws: int) -> tuple[float, int] | None:
    """Grade and parts of a structure that was evaluated, or None where torch is the way.

    See `interpmd.potentials.fast.error_bars.glance`.
    """
    prepared = _ready_with_samples(potential)
    if prepared is None:
        return None
    from interpmd.potentials.fast import error_bars

    return error_bars.glance(prepared, atoms, draws)


def _ready_with_samples(potential: TermSum) -> FastPotential | None:
    """As `ready`, if there are samples of the posterior and all of them have a fast form."""
    prepared = ready(potential)
    if prepared is None:
        return None
    from interpmd.potentials.fast.error_bars import sampled_terms

    sampled = sampled_terms(list(potential.terms.values()))
    if not sampled or any(term not in prepared.expansions for term in sampled):
        return None
    return prepared


def feature_maker(term: LocalTerm) -> FeatureMaker | None:
    """What makes rows of the fit of an expansion, or None where torch is the way."""
    if not available():
        return None
    from interpmd.potentials.fast import features

    return features.feature_maker(term)


def on_environments(term: LocalTerm, env: Environments) -> tuple[np.ndarray, ...] | None:
    """Energies, slopes and samples of sites of one term, or None where torch is the way.

    See `interpmd.potentials.fast.terms.on_environments`.
    """
    if not available():
        return None
    from interpmd.potentials.fast import terms

    return terms.on_environments(term, env)


def warm_up(progress: bool = True) -> float:
    """Compile what is the same for all potentials, so that no first call has to (10 s once).

    Args:
        progress: whether to say on stderr what is going on.

    Returns:
        Seconds that it took.
    """
    if not available():
        return 0.0
    from interpmd.potentials.fast.warmup import compile_kernels

    started = time.perf_counter()
    compile_kernels()
    seconds = time.perf_counter() - started
    if progress:
        print(f"interpmd: fast evaluator ready ({seconds:.1f} s)", file=sys.stderr)
    return seconds
