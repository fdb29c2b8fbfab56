"""Generated code of the invariants: value and gradient of a site's energy in one go.

Every invariant is a polynomial in the density A of one channel (`polynomials`):

    T_r = sum_ij c_rij A_i A_j        V = (A, T)        B_p = sum_t s_t V_left(t) V_right(t)

So it is written down term by term, for a vector of channels at once, and differentiated in
reverse by hand: with Q = dE/dV from the last sum,

    dE/dA_i = Q_i + sum_r Q_r sum_j (c_rij + c_rji) A_j

No index is read at run time and no product with a coefficient of zero is formed. The energy
itself comes last, from Euler's theorem for a polynomial whose terms all have nu factors:
E = sum_i A_i dE/dA_i / nu. The T of two degrees l are finished before the next begin, so that few
values are alive at a time and most stay in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from interpmd.potentials.fast.emit import Code
from interpmd.potentials.fast.polynomials import Coupling, Polynomial, polynomial


@dataclass(frozen=True)
class Block:
    """The invariants of one degree, as they lie in memory.

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


def invariants(blocks: Sequence[Block], scalar: str, width: int) -> str:
    """``double invariants(A, G, w, n, stride)``: energy of a site; its gradient by A is added to G.

    A and G have rows (components of all l) of `stride` numbers, w is the read-out of the site's
    element, n its channels of each block, at least 1.
    """
    code, energy = Code(scalar, width), None
    for number, block in enumerate(blocks):

        def body(k: str, sums: list[str], block: Block = block) -> list[str]:
            density = load_density(code, block, k)
            return [code.add(sums[0], _site(code, block, density, (k, k)))]

        (energies,) = code.loop(code.whole("%n", number), width, body, carried=1)
        part = code.total(energies)
        energy = part if energy is None else code.emit(f"fadd {code.scalar} {energy}, {part}")
    return code.function("invariants", ["A", "G", "w", "n"], ["stride"], energy)


def invariants_of_draws(blocks: Sequence[Block], scalar: str, width: int) -> str:
    """``invariants_of_draws(A, G, w, n, E, stride, draws, next_G, next_w)``: as `invariants`, of
    several read-outs: the T are found once.

    E has a number for each, to which the energy is added; G and w begin anew after so many numbers.
    """
    code = Code(scalar, width)
    for number, block in enumerate(blocks):

        def body(k: str, _: list[str], block: Block = block) -> list[str]:
            density = load_density(code, block, k)
            values = all_coupled(code, polynomial(block.degree, block.lmax), density)

            def draw(d: str, _: list[str]) -> list[str]:
                places = code.at(d, "%next_G", k), code.at(d, "%next_w", k)
                energies = code.total(_site(code, block, density, places, values))
                before = code.load_scalar("%E", d)
                code.store_scalar(code.emit(f"fadd {scalar} {before}, {energies}"), "%E", d)
                return []

            code.loop("%draws", 1, draw)
            return []

        code.loop(code.whole("%n", number), width, body)
    integers = ["stride", "draws", "next_G", "next_w"]
    return code.function("invariants_of_draws", ["A", "G", "w", "n", "E"], integers)


def _site(
    code: Code,
    block: Block,
    density: dict[int, str],
    places: tuple[str, str],
    values: dict[int, str] | None = None,
) -> str:
    """Energies of one vector of channels; adds to G.

    Args:
        density: its components.
        places: where the vector begins in rows of G and in the weights.
        values: all T, if they are known.
    """
    each = polynomial(block.degree, block.lmax)
    of_gradient, of_weights = places

    def weight(invariant: int, factor: float) -> str:
        place = code.at(1, block.first + invariant * block.channels, of_weights)
        return code.scale(factor, code.load("%w", place))

    if block.degree == 1:
        gradient = {0: weight(0, 1.0)}
    else:
        gradient = reverse(code, each, density, weight, values)
    energy: dict[int, str] = {}
    for component, slope in gradient.items():
        place = code.at(component, "%stride", of_gradient)
        code.store(code.add(code.load("%G", place), slope), "%G", place)
        code.accumulate(energy, 0, code.mul(slope, density[component]))
    return code.scale(1 / block.degree, energy[0])


def load_density(code: Code, block: Block, k: str) -> dict[int, str]:
    """The components of A that a block uses, of one vector of channels."""
    components = polynomial(block.degree, block.lmax).components
    return {i: code.load("%A", code.at(i, "%stride", k)) for i in range(components)}


def all_coupled(code: Code, each: Polynomial, density: dict[int, str]) -> dict[int, str]:
    """All T of a polynomial."""
    values: dict[int, str] = {}
    for part in each.couplings:
        values |= coupled(code, part, density)
    return values


def reverse(
    code: Code,
    each: Polynomial,
    density: dict[int, str],
    weight: Callable[[int, float], str],
    values: dict[int, str] | None = None,
) -> dict[int, str]:
    """The gradient by A of the sum of all invariants, each times its weight times a factor.

    A term that holds one T hands its slope on as soon as that T is known; only where two T meet
    (degree 4) must all be known first. They may be known in any case.
    """
    gradient: dict[int, str] = {}
    known: dict[tuple[int, float], str] = {}

    def scaled(invariant: int, factor: float) -> str:
        if (invariant, factor) not in known:
            known[invariant, factor] = weight(invariant, factor)
        return known[invariant, factor]

    def slopes(values: dict[int, str], terms: Sequence[tuple]) -> dict[int, str]:
        result: dict[int, str] = {}
        for invariant, left, right, factor in terms:
            w = scaled(invariant, 2 * factor if left == right else factor)
            code.accumulate(result, right, code.mul(w, values[left]))
            if left != right:
                code.accumulate(result, left, code.mul(w, values[right]))
        for component in [i for i in result if i < each.components]:
            code.accumulate(gradient, component, result.pop(component))
        return result

    of_two = [term for term in each.terms if min(term[1:3]) >= each.components]
    if of_two:
        if values is None:
            values = all_coupled(code, each, density)
        by_coupled = slopes(density | values, each.terms)
        for part in each.couplings:
            through(code, part, density, by_coupled, gradient)
        return gradient
    if not each.couplings:
        slopes(density, each.terms)
    for part in each.couplings:
        mine = coupled(code, part, density) if values is None else values
        rows = {r for _, _, entries in part.products for r, _ in entries}
        terms = [term for term in each.terms if rows & set(term[1:3])]
        through(code, part, density, slopes(density | mine, terms), gradient)
    return gradient


def coupled(code: Code, part: Coupling, density: dict[int, str]) -> dict[int, str]:
    """The T of one coupling."""
    values: dict[int, str] = {}
    for i, j, entries in part.products:
        product = code.mul(density[i], density[j])
        for r, c in entries:
            code.accumulate(values, r, code.scale(c, product))
    return values


def through(
    code: Code,
    part: Coupling,
    density: dict[int, str],
    slopes: dict[int, str],
    gradient: dict[int, str],
) -> None:
    """Adds to the gradient by A what comes through the T of one coupling."""
    for i, j, entries in part.products:
        total: dict[int, str] = {}
        for r, c in entries:
            if r in slopes:
                code.accumulate(total, 0, code.scale(2 * c if i == j else c, slopes[r]))
        if total:
            code.accumulate(gradient, i, code.mul(total[0], density[j]))
            if i != j:
                code.accumulate(gradient, j, code.mul(total[0], density[i]))
