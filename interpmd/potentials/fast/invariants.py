"""Generated code of the invariants: value and gradient of a site's energy in one go.

Every invariant is a polynomial in the density A of one channel with fixed, sparse coefficients
(`interpmd.potentials.expansion.angular.couplings`):

    T_r = sum_ij c_rij A_i A_j        V = (A, T)        B_p = sum_t s_t V_left(t) V_right(t)

So it is written down term by term, for a vector of channels at once, and differentiated in
reverse by hand: with Q = dE/dV from the last sum,

    dE/dA_i = Q_i + sum_r Q_r sum_j (c_rij + c_rji) A_j

No index is read at run time and no product of a coefficient that is zero is formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interpmd.potentials.expansion.angular import couplings
from interpmd.potentials.fast.emit import Code


@dataclass(frozen=True)
class Block:
    """The invariants of one degree.

    Attributes:
        degree: number of factors A, 1 to 4.
        lmax: largest l of A that they use.
        channels: padded to whole vectors.
        first: where its weights begin; they are ordered (invariant, channel).
    """

    degree: int
    lmax: int
    channels: int
    first: int


@dataclass(frozen=True)
class Polynomial:
    """The invariants of one degree as sums of products.

    Attributes:
        products: for each pair i <= j of components of A, the T_r that it enters and how much.
        terms: (invariant, left, right, factor), indices of V = (A, T).
        components: number of components of A.
        count: number of invariants.
    """

    products: dict[tuple[int, int], dict[int, float]]
    terms: tuple[tuple[int, int, int, float], ...]
    components: int
    count: int


def polynomial(degree: int, lmax: int) -> Polynomial:
    """The invariants of a degree, in the order of the expansion's features."""
    if degree == 1:
        return Polynomial({}, (), 1, 1)
    recipe = couplings(lmax, (degree,))
    components = (lmax + 1) ** 2
    used = {int(r) for r in (*recipe.left, *recipe.right)}
    products: dict[tuple[int, int], dict[int, float]] = {}
    for pair, row in zip(recipe.pairs.T.tolist(), recipe.quadratic, strict=True):
        entries = {components + r: c for r, c in enumerate(row.tolist()) if c}
        if entries := {r: c for r, c in entries.items() if r in used}:
            products[pair[0], pair[1]] = entries
    lists = (recipe.owner, recipe.left, recipe.right, recipe.weight)
    terms = tuple(zip(*(part.tolist() for part in lists), strict=True))
    return Polynomial(products, terms, components, len(recipe.degree))


def invariants(blocks: Sequence[Block], scalar: str, width: int) -> str:
    """``double invariants(A, G, w, stride)``: energy of a site; G becomes its gradient by A.

    A and G have rows (components of all l) of `stride` numbers, w is the read-out of the site's
    element. Only what the blocks use is added to G: it must be zero at the beginning.
    """
    code, energy = Code(scalar, width), None
    for block in blocks:
        each = polynomial(block.degree, block.lmax)

        def body(k: str, sums: list[str], block: Block = block, each: Polynomial = each):
            return [code.add(sums[0], _site(code, block, each, k))]

        (energies,) = code.loop(block.channels, width, body, carried=1)
        part = code.total(energies)
        energy = part if energy is None else code.emit(f"fadd {code.scalar} {energy}, {part}")
    return code.function("invariants", ["A", "G", "w"], ["stride"], energy)


def _site(code: Code, block: Block, each: Polynomial, k: str) -> str:
    """Energies of one vector of channels; adds to G."""

    def weight(invariant: int) -> str:
        return code.load("%w", code.at(1, block.first + invariant * block.channels, k))

    def add_gradient(component: int, value: str) -> None:
        place = code.at(component, "%stride", k)
        code.store(code.add(code.load("%G", place), value), "%G", place)

    if block.degree == 1:
        add_gradient(0, weight(0))
        return code.mul(weight(0), code.load("%A", k))
    values = coupled(code, each, k)
    slopes: dict[int, str] = {}
    energy: dict[int, str] = {}
    weights: dict[tuple[int, float], str] = {}
    for invariant, left, right, factor in each.terms:
        if (invariant, factor) not in weights:
            weights[invariant, factor] = code.scale(factor, weight(invariant))
        w = weights[invariant, factor]
        scaled = code.mul(w, values[left])
        code.accumulate(energy, 0, code.mul(scaled, values[right]))
        if left == right:
            code.accumulate(slopes, left, code.add(scaled, scaled))
        else:
            code.accumulate(slopes, right, scaled)
            code.accumulate(slopes, left, code.mul(w, values[right]))
    for component, value in through_products(code, each, values, slopes).items():
        add_gradient(component, value)
    return energy[0]


def coupled(code: Code, each: Polynomial, k: str) -> dict[int, str]:
    """V = (A, T) of one vector of channels."""
    pairs = {i for pair in each.products for i in pair}
    linear = {i for _, left, right, _ in each.terms for i in (left, right) if i < each.components}
    values = {i: code.load("%A", code.at(i, "%stride", k)) for i in sorted(pairs | linear)}
    products: dict[int, str] = {}
    for (i, j), entries in each.products.items():
        product = code.mul(values[i], values[j])
        for r, c in entries.items():
            code.accumulate(products, r, code.scale(c, product))
    return values | products


def through_products(
    code: Code, each: Polynomial, values: dict[int, str], slopes: dict[int, str]
) -> dict[int, str]:
    """From the slopes by V = (A, T) to those by A alone."""
    result = {i: slope for i, slope in slopes.items() if i < each.components}
    for (i, j), entries in each.products.items():
        total: dict[int, str] = {}
        for r, c in entries.items():
            if r in slopes:
                code.accumulate(total, 0, code.scale(2 * c if i == j else c, slopes[r]))
        if not total:
            continue
        code.accumulate(result, i, code.mul(total[0], values[j]))
        if i != j:
            code.accumulate(result, j, code.mul(total[0], values[i]))
    return result
