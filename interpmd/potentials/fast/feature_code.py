"""Generated code for the fit: every invariant by itself, and its gradient by every edge.

Per site, `evaluate` writes the invariants B_p, `derive` also the entries of dB_p/dA_i that are not
zero. Per edge, `contract` multiplies them with what the edge adds to A,

    dB_p/dr = sum_i dB_p/dA_i dA_i/dr,     dA_i/dr = R'_l along_i + R_l across_i

where along and across come from `harmonics.jacobian`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from interpmd.potentials.fast.emit import Code
from interpmd.potentials.fast.invariants import Block, all_coupled, load_density, through
from interpmd.potentials.fast.polynomials import Coupling, Polynomial, polynomial

#: An entry of dB/dA: invariant and component.
Entry = tuple[int, int]


@lru_cache
def entries(block: Block) -> tuple[Entry, ...]:
    """The entries of dB/dA of one degree that are not zero, in the order of `derive`."""
    return tuple((p, i) for p, part in enumerate(_single(block)) for i in sorted(_components(part)))


def evaluate(blocks: Sequence[Block], scalar: str, width: int) -> str:
    """``evaluate(A, B, n, stride)``: B by (invariant, channel); n as for `invariants`."""
    code = Code(scalar, width)
    for number, block in enumerate(blocks):

        def body(k: str, _: list[str], block: Block = block) -> list[str]:
            values, sums = _all_values(code, block, k), {}
            for p, left, right, factor in _terms(block):
                product = values[left] if right is None else code.mul(values[left], values[right])
                code.accumulate(sums, p, code.scale(factor, product))
            _store_invariants(code, block, sums, k)
            return []

        code.loop(code.whole("%n", number), width, body)
    return code.function("evaluate", ["A", "B", "n"], ["stride"])


def derive(blocks: Sequence[Block], scalar: str, width: int) -> str:
    """``derive(A, B, D, n, stride)``: B by (invariant, channel), D by (entry, channel)."""
    code, first = Code(scalar, width), 0
    for number, block in enumerate(blocks):

        def body(k: str, _: list[str], block: Block = block, first: int = first) -> list[str]:
            values, sums, n = _all_values(code, block, k), {}, 0
            for p, part in enumerate(_single(block)):
                gradient = _gradient(code, block, part, values)
                for i in sorted(gradient):
                    place = code.emit(f"add i64 {k}, {first + n * block.channels}")
                    code.store(gradient[i], "%D", place)
                    code.accumulate(sums, p, code.mul(gradient[i], values[i]))
                    n += 1
                sums[p] = code.scale(1 / block.degree, sums[p])
            _store_invariants(code, block, sums, k)
            return []

        code.loop(code.whole("%n", number), width, body)
        first += len(entries(block)) * block.channels
    return code.function("derive", ["A", "B", "D", "n"], ["stride"])


def contract(
    blocks: Sequence[Block], lmax: int, channels: int, size: int, scalar: str, width: int
) -> str:
    """``contract(R, dR, along, across, D, O, n, wide)``: O by (axis, invariant, channel).

    `along` and `across` begin at the edge, R and dR at its rows; O has `size` numbers an axis.
    """
    code, first, components = Code(scalar, width), 0, (lmax + 1) ** 2
    for number, block in enumerate(blocks):

        def body(k: str, _: list[str], block: Block = block, first: int = first) -> list[str]:
            moved: list[dict[int, str]] = [{}, {}, {}]
            for l in range(block.lmax + 1):
                row = code.emit(f"add i64 {k}, {l * channels}")
                value, slope = code.load("%R", row), code.load("%dR", row)
                for axis in range(3):
                    for i in range(l * l, (l + 1) ** 2):
                        place = code.emit(f"mul i64 %wide, {axis * components + i}")
                        radial = code.mul(slope, code.spread("%along", place))
                        angular = code.mul(value, code.spread("%across", place))
                        moved[axis][i] = code.add(radial, angular)
            sums: list[dict[int, str]] = [{}, {}, {}]
            for n, (p, i) in enumerate(entries(block)):
                place = code.emit(f"add i64 {k}, {first + n * block.channels}")
                derivative = code.load("%D", place)
                for axis in range(3):
                    code.accumulate(sums[axis], p, code.mul(derivative, moved[axis][i]))
            for axis in range(3):
                for p, total in sums[axis].items():
                    place = axis * size + block.first + p * block.channels
                    code.store(total, "%O", code.emit(f"add i64 {k}, {place}"))
            return []

        code.loop(code.whole("%n", number), width, body)
        first += len(entries(block)) * block.channels
    return code.function("contract", ["R", "dR", "along", "across", "D", "O", "n"], ["wide"])


@lru_cache
def _single(block: Block) -> tuple[Polynomial, ...]:
    """A polynomial for each invariant, with the couplings that it needs."""
    each, parts = polynomial(block.degree, block.lmax), []
    for p in range(each.count):
        terms = tuple(term for term in each.terms if term[0] == p)
        used = {term[side] for term in terms for side in (1, 2)}
        couplings = tuple(_only(used, coupling) for coupling in each.couplings)
        parts.append(replace(each, terms=terms, couplings=couplings))
    return tuple(parts)


def _only(used: set[int], coupling: Coupling) -> Coupling:
    """A coupling without the T that are not used."""
    rows = ((i, j, tuple(e for e in row if e[0] in used)) for i, j, row in coupling.products)
    return Coupling(tuple(product for product in rows if product[2]))


def _components(part: Polynomial) -> set[int]:
    """The components of A that an invariant depends on."""
    if not part.terms:
        return {0}
    linear = {i for _, left, right, _ in part.terms for i in (left, right) if i < part.components}
    return linear | {i for c in part.couplings for a, b, _ in c.products for i in (a, b)}


def _terms(block: Block) -> Sequence[tuple[int, int, int | None, float]]:
    """Invariant, left, right (None: there is no other factor), factor."""
    if block.degree == 1:
        return [(0, 0, None, 1.0)]
    return polynomial(block.degree, block.lmax).terms


def _all_values(code: Code, block: Block, k: str) -> dict[int, str]:
    """V = (A, T) of one vector of channels."""
    each = polynomial(block.degree, block.lmax)
    density = load_density(code, block, k)
    return density | all_coupled(code, each, density)


def _store_invariants(code: Code, block: Block, sums: dict[int, str], k: str) -> None:
    for p, value in sums.items():
        place = code.emit(f"add i64 {k}, {block.first + p * block.channels}")
        code.store(value, "%B", place)


def _gradient(code: Code, block: Block, part: Polynomial, values: dict[int, str]) -> dict[int, str]:
    """The gradient of one invariant by A."""
    if block.degree == 1:
        return {0: code.constant(1)}
    slopes: dict[int, str] = {}
    for _, left, right, factor in part.terms:
        if left == right:
            code.accumulate(slopes, left, code.scale(2 * factor, values[left]))
        else:
            code.accumulate(slopes, left, code.scale(factor, values[right]))
            code.accumulate(slopes, right, code.scale(factor, values[left]))
    gradient = {i: slopes.pop(i) for i in [*slopes] if i < part.components}
    for coupling in part.couplings:
        through(code, coupling, values, slopes, gradient)
    return gradient
