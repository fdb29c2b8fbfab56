"""Which terms have a fast form."""

from __future__ import annotations

import numpy as np
import torch

from interpmd.potentials.base import Term
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.expansion.angular import monomial_coefficients
from interpmd.potentials.fast.analytic import ANALYTIC


def has_fast_form(term: Term) -> bool:
    """Whether the kernels know a term; subclasses may differ in anything and stay in torch.

    So do expansions that once were in float32: their constants were rounded, those here are not.
    """
    if type(term) is ClusterExpansion:
        exact = monomial_coefficients(term.lmax)
        return term.monomials.dtype == torch.float64 and np.array_equal(term.monomials, exact)
    return type(term) in ANALYTIC
