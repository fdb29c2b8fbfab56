"""The Bayesian model of a space of molecules: rows of groups at sites, shrunk by their order.

A property of a molecule x with groups g_1, ..., g_n at its sites is a sum of rows::

    f(x) = c + sum_s a_s(g_s) + sum_{s<t} b_st(g_s, g_t) + ... + rest(x),

each a Gaussian process over groups, so that f is one over molecules with the covariance::

    k(x, x') = w_0 + sum_k w_k sum_{|S| = k} prod_{s in S} l_ks K_s(g_s, g'_s) + w_rest [x = x'],
    K_s(g, g') = (1 - r) [g = g'] + r exp(-|d_g - d_g'|^2 / 2)

(additive kernels: Duvenaud, Nickisch, Rasmussen, NeurIPS 2011, equation 5; here per site and
order). The weights w of the orders, l of the sites in each order (a group may do much alone and
little in company, so that every pair of three sites has a size of its own) and r, how much the
likeness d of groups counts, are those of largest evidence (Rasmussen and Williams, Gaussian
Processes for Machine Learning, 2006, equations 5.8 and 5.9). What an order explains is left to a
higher one only as far as data ask for it: that is the shrinking. Where nine in ten values that are
left out one by one do not lie within the error bars that they should, all bars are widened until
they do.

Everything that is told of a molecule, rows with "absent" = hydrogen, Shapley values and gains of
swaps, is a weighted sum of values of f, so that its error bar is exact under the model; where all
of these molecules were evaluated it is the scatter of the evaluation alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.stats import norm

from interpmd.design.scaffold import Design
from interpmd.errors import ArgumentError

#: Molecules from which on values that are left out say how wide error bars must be.
FEW = 20

#: Logarithms of the weights stay within these bounds; values are scaled to unit variance.
LOWEST, HIGHEST = np.log(1e-4), np.log(20.0)

#: Prior of the logarithms: means by order (the rest is the last), their spread.
ORDERS, SPREAD = (np.log(1.0), np.log(0.15), np.log(0.03)), 1.2


@dataclass(frozen=True)
class Kernel:
    """Covariance of a property of two molecules.

    Attributes:
        likeness: of groups at each site, exp(-|d - d'|^2 / 2), each shape (groups, groups).
        order: most sites of a row; the rest has no more structure.
        weights: w_1, ..., w_order and w_rest, shape (order + 1,).
        sites: l_ks, shape (order, sites).
        shared: r, from 0 to 1.
        noise: variance of an evaluation.
        constant: w_0.
    """

    likeness: tuple[Float[np.ndarray, "groups groups"], ...]
    order: int
    weights: Float[np.ndarray, " orders"]
    sites: Float[np.ndarray, "order sites"]
    shared: float
    noise: float = 1e-4
    constant: float = 4.0

    def scaled(self, factor: float) -> Kernel:
        """All variances times a factor, noise too: the same means, with other error bars."""
        return replace(
            self,
            weights=factor * self.weights,
            noise=factor * self.noise,
            constant=factor * self.constant,
        )

    def of_site(self, site: int) -> Float[np.ndarray, "groups groups"]:
        """K_s for all pairs of groups at a site."""
        like = self.likeness[site]
        return (1 - self.shared) * np.eye(len(like)) + self.shared * like

    def between(
        self, one: Int[np.ndarray, "n sites"], other: Int[np.ndarray, "m sites"]
    ) -> Float[np.ndarray, "n m"]:
        """Covariances of molecules, without noise."""
        same = (one[:, None] == other[None]).all(2)
        return self.added(self.factors(one, other)) + self.weights[self.order] * same

    def factors(
        self, one: Int[np.ndarray, "n sites"], other: Int[np.ndarray, "m sites"]
    ) -> list[Float[np.ndarray, "n m"]]:
        """K_s of molecules for each site."""
        return [self.of_site(s)[one[:, s, None], other[None, :, s]] for s in range(one.shape[1])]

    def own(self, designs: Int[np.ndarray, "n sites"]) -> Float[np.ndarray, " n"]:
        """Variances of molecules, without noise."""
        factors = [np.diag(self.of_site(s))[designs[:, s]] for s in range(designs.shape[1])]
        return self.added(factors) + self.weights[self.order]

    def added(self, factors: Sequence[np.ndarray]) -> np.ndarray:
        """The constant and all orders, of the K_s of each site, of any one shape."""
        total = np.full_like(factors[0], self.constant)
        for k in range(1, self.order + 1):
            total += self.weights[k - 1] * products(factors, self.sites[k - 1], k)
        return total

    def drawn(
        self, designs: Int[np.ndarray, "n sites"], rng: np.random.Generator
    ) -> Float[np.ndarray, " n"]:
        """One function from the prior at all molecules, table by table of rows."""
        roots = []
        for site in range(designs.shape[1]):
            values, vectors = np.linalg.eigh(self.of_site(site))
            roots.append(vectors * np.sqrt(np.maximum(values, 0.0)))
        total = np.full(len(designs), np.sqrt(self.constant) * rng.standard_normal())
        for k in range(1, self.order + 1):
            for sites in itertools.combinations(range(designs.shape[1]), k):
                size = self.weights[k - 1] * np.prod(self.sites[k - 1, list(sites)])
                table = rng.standard_normal([len(roots[s]) for s in sites])
                for axis, s in enumerate(sites):
                    table = np.moveaxis(np.tensordot(roots[s], table, (1, axis)), 0, axis)
                total += np.sqrt(size) * table[tuple(designs[:, s] for s in sites)]
        return total + np.sqrt(self.weights[self.order]) * rng.standard_normal(len(designs))


def products(factors: Sequence[np.ndarray], scales: np.ndarray, size: int) -> np.ndarray:
    """The sum over sets of so many sites of the products of their scaled factors: an elementary
    symmetric polynomial, one site after the other."""
    sums = [np.ones_like(factors[0])] + [np.zeros_like(factors[0]) for _ in range(size)]
    for site, (factor, scale) in enumerate(zip(factors, scales, strict=True)):
        for k in range(min(size, site + 1), 0, -1):
            sums[k] += scale * factor * sums[k - 1]
    return sums[size]


@dataclass(frozen=True)
class Rows:
    """A space of molecules as data see it: values and rows with error bars.

    Attributes:
        designs: that were evaluated, shape (n, sites).
        values: of the objective, shape (n,).
        kernel: in units of `scale`.
        mean, scale: of the values.
        evidence: logarithm of the marginal likelihood of the scaled values.
    """

    designs: Int[np.ndarray, "n sites"]
    values: Float[np.ndarray, " n"]
    kernel: Kernel
    mean: float
    scale: float
    evidence: float
    _root: Float[np.ndarray, "n n"]
    _alpha: Float[np.ndarray, " n"]

    def predict(
        self, designs: Sequence[Design] | np.ndarray
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Means and error bars (one standard deviation) of molecules, in the objective's unit."""
        wanted = _as_array(designs, self.designs.shape[1])
        means, bars = np.empty(len(wanted)), np.empty(len(wanted))
        for begin in range(0, len(wanted), 4096):
            part = wanted[begin : begin + 4096]
            cross = self.kernel.between(part, self.designs)
            means[begin : begin + 4096] = cross @ self._alpha
            inner = solve_triangular(self._root, cross.T, lower=True)
            bars[begin : begin + 4096] = self.kernel.own(part) - (inner**2).sum(0)
        return self.mean + self.scale * means, self.scale * np.sqrt(np.maximum(bars, 0.0))

    def combined(
        self, designs: Sequence[Design] | np.ndarray, weights: Float[np.ndarray, "rows m"]
    ) -> tuple[Float[np.ndarray, " rows"], Float[np.ndarray, "rows rows"]]:
        """Means and covariances of weighted sums of molecules' values."""
        wanted = _as_array(designs, self.designs.shape[1])
        cross = self.kernel.between(wanted, self.designs)
        inner = solve_triangular(self._root, cross.T, lower=True)
        covariance = self.kernel.between(wanted, wanted) - inner.T @ inner
        values = self.mean + self.scale * (cross @ self._alpha)
        return weights @ values, self.scale**2 * (weights @ covariance @ weights.T)

    def before(
        self, designs: Sequence[Design] | np.ndarray, weights: Float[np.ndarray, "rows m"]
    ) -> Float[np.ndarray, " rows"]:
        """Error bars that weighted sums of molecules' values had before any data."""
        wanted = _as_array(designs, self.designs.shape[1])
        prior = np.einsum("rm,mn,rn->r", weights, self.kernel.between(wanted, wanted), weights)
        return self.scale * np.sqrt(np.maximum(prior, 0.0))

    def sample(
        self, designs: Int[np.ndarray, "m sites"], rng: np.random.Generator
    ) -> Float[np.ndarray, " m"]:
        """One function from the posterior at all molecules.

        A draw from the prior, corrected by what it says of the data (Wilson et al., J. Mach.
        Learn. Res. 22, 105, 2021, equation 9).
        """
        both = np.concatenate([designs, self.designs])
        prior = self.kernel.drawn(both, rng)
        # the rest is a number of each molecule: the same where it stands in both
        place = {tuple(design): k for k, design in enumerate(designs.tolist())}
        at_data = prior[len(designs) :].copy()
        for k, design in enumerate(self.designs.tolist()):
            if tuple(design) in place:
                at_data[k] = prior[place[tuple(design)]]
        noisy = at_data + np.sqrt(self.kernel.noise) * rng.standard_normal(len(at_data))
        change = cho_solve((self._root, True), (self.values - self.mean) / self.scale - noisy)
        found = prior[: len(designs)].copy()
        for begin in range(0, len(designs), 4096):
            part = slice(begin, begin + 4096)
            found[part] += self.kernel.between(designs[part], self.designs) @ change
        return self.mean + self.scale * found

    def left_out(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """What all other molecules say of each one: mean and error bar (noise included)."""
        inverse = cho_solve((self._root, True), np.eye(len(self.values)))
        variance = 1.0 / np.diag(inverse)
        means = (self.values - self.mean) / self.scale - self._alpha * variance
        return self.mean + self.scale * means, self.scale * np.sqrt(variance)

    def with_values(self, designs: np.ndarray, values: np.ndarray) -> Rows:
        """The model with more data and the same kernel."""
        return _solved(
            np.concatenate([self.designs, designs]),
            np.concatenate([self.values, values]),
            self.kernel,
            self.mean,
            self.scale,
        )

    def of_data(self, designs: np.ndarray, values: np.ndarray) -> Rows:
        """The model with other data and the same kernel."""
        return _solved(designs, values, self.kernel, self.mean, self.scale)


def fit_rows(
    designs: Sequence[Design] | np.ndarray,
    values: Sequence[float] | np.ndarray,
    descriptors: Sequence[Float[np.ndarray, "groups 6"]],
    order: int = 2,
    noise: float = 0.0,
    start: Kernel | None = None,
) -> Rows:
    """The model of rows that evaluated molecules support.

    Args:
        designs: that were evaluated, shape (n, sites).
        values: of the objective.
        descriptors: of the groups at each site.
        order: most groups of a row; what is beyond has no structure.
        noise: standard deviation of an evaluation in the objective's unit; a hundredth of the
            values' spread if 0.
        start: where the search for the weights begins.

    Raises:
        ArgumentError: no values, values that are not finite, an order that makes no sense.
    """
    known = np.asarray(values, dtype=float)
    wanted = _as_array(designs, len(descriptors))
    if len(known) == 0 or not np.isfinite(known).all():
        raise ArgumentError("a model of rows needs at least one value, and finite ones")
    if not 1 <= order <= len(descriptors):
        raise ArgumentError(f"order is from 1 to the number of sites, {len(descriptors)}")
    mean, scale = float(np.median(known)), float(known.std())
    scale = scale if scale > 0 else max(abs(mean), 1.0)
    likeness = tuple(
        np.exp(-0.5 * ((d[:, None] - d[None]) ** 2).sum(2)) for d in map(np.asarray, descriptors)
    )
    count = len(descriptors)
    prior = np.array([*[_order_mean(k) for k in range(order + 1)], *[0.0] * (order * count)])
    first = Kernel(
        likeness,
        order,
        np.exp(prior[: order + 1]),
        np.ones((order, count)),
        0.5,
        noise=max((noise / scale) ** 2, 1e-4) if noise else 1e-4,
    )
    begin = np.array([*prior, 0.0])
    if start is not None and start.order == order:
        begin[: order + 1] = np.log(start.weights)
        begin[order + 1 : -1] = np.log(start.sites).ravel()
        begin[-1] = np.log(start.shared / (1 - start.shared))
    scaled = (known - mean) / scale
    same = (wanted[:, None] == wanted[None]).all(2)

    def kernel_of(theta: np.ndarray) -> Kernel:
        return replace(
            first,
            weights=np.exp(theta[: order + 1]),
            sites=np.exp(theta[order + 1 : -1]).reshape(order, count),
            shared=float(1 / (1 + np.exp(-theta[-1]))),
        )

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        kernel = kernel_of(theta)
        factors = kernel.factors(wanted, wanted)
        covariance = kernel.added(factors) + kernel.weights[order] * same
        root = cholesky(covariance + kernel.noise * np.eye(len(scaled)), lower=True)
        alpha = cho_solve((root, True), scaled)
        value = 0.5 * scaled @ alpha + np.log(np.diag(root)).sum()
        inner = cho_solve((root, True), np.eye(len(scaled))) - np.outer(alpha, alpha)
        of_weights, of_sites = [], []
        for k in range(1, order + 1):
            weight, scales = kernel.weights[k - 1], kernel.sites[k - 1]
            whole = weight * (inner * products(factors, scales, k)).sum()
            of_weights.append(whole)
            for site in range(count):  # linear in the size of each site
                without = np.where(np.arange(count) == site, 0.0, scales)
                rest = weight * (inner * products(factors, without, k)).sum()
                of_sites.append(whole - rest)
        of_weights.append(kernel.weights[order] * (inner * same).sum())
        step = np.array([*[0.0] * (len(theta) - 1), 1e-4])
        change = kernel_of(theta + step).between(wanted, wanted)
        change -= kernel_of(theta - step).between(wanted, wanted)
        slope = 0.5 * np.array([*of_weights, *of_sites, (inner * change).sum() / 2e-4])
        away = np.array([*(theta[:-1] - prior), theta[-1]]) / SPREAD
        return float(value + 0.5 * away @ away), slope + away / SPREAD

    best = begin
    if len(scaled) > 3:
        bounds = [(LOWEST, HIGHEST)] * (len(begin) - 1) + [(-4.0, 4.0)]
        found = minimize(
            loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
        )
        best = found.x
    rows = _solved(wanted, known, kernel_of(best), mean, scale)
    if len(scaled) < FEW:
        return rows
    means, bars = rows.left_out()
    wider = max(1.0, float(np.quantile(np.abs(known - means) / bars, 0.9)) / norm.ppf(0.95))
    return _solved(wanted, known, rows.kernel.scaled(wider**2), mean, scale)


def moebius_weights(design: Design) -> tuple[list[Design], dict[tuple[int, ...], dict[int, float]]]:
    """Molecules with some of a design's groups and hydrogen elsewhere, and what each row adds up.

    Returns:
        The molecules, and for each set of substituted sites the sign of each molecule in its row.
    """
    on = [s for s, group in enumerate(design) if group]
    if len(on) > 10:
        raise ArgumentError(f"rows of {len(on)} groups are {2 ** len(on)} molecules; at most 10")
    sets = [c for k in range(len(on) + 1) for c in itertools.combinations(on, k)]
    place = {c: k for k, c in enumerate(sets)}
    molecules = [tuple(g if s in c else 0 for s, g in enumerate(design)) for c in sets]
    rows: dict[tuple[int, ...], dict[int, float]] = {}
    for whole in sets:
        rows[whole] = {
            place[part]: (-1.0) ** (len(whole) - len(part))
            for k in range(len(whole) + 1)
            for part in itertools.combinations(whole, k)
        }
    return molecules, rows


def dense(rows: Sequence[Mapping[int, float]], count: int) -> Float[np.ndarray, "rows count"]:
    """Weights of rows as a matrix."""
    matrix = np.zeros((len(rows), count))
    for k, row in enumerate(rows):
        for column, weight in row.items():
            matrix[k, column] = weight
    return matrix


def _order_mean(k: int) -> float:
    return ORDERS[min(k, len(ORDERS) - 1)]


def _as_array(designs: Sequence[Design] | np.ndarray, sites: int) -> Int[np.ndarray, "n sites"]:
    return np.asarray(designs, dtype=int).reshape(-1, sites)


def _solved(
    designs: np.ndarray, values: np.ndarray, kernel: Kernel, mean: float, scale: float
) -> Rows:
    covariance = kernel.between(designs, designs) + kernel.noise * np.eye(len(designs))
    root = cholesky(covariance, lower=True)
    scaled = (values - mean) / scale
    alpha = cho_solve((root, True), scaled)
    evidence = -0.5 * scaled @ alpha - np.log(np.diag(root)).sum()
    evidence -= 0.5 * len(scaled) * np.log(2 * np.pi)
    return Rows(designs, values, kernel, mean, scale, float(evidence), root, alpha)
