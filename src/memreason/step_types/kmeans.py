"""K-means on step vectors (arXiv 2310.05707, section 3), plain and with types of equal size.

The balanced kind alternates between two moves, as BalLOT does (arXiv 2512.05926). The first assigns every type an
equal share of the steps at the least cost, which is an optimal transport problem. The second moves each centre to the
mean of its steps. The solution of the transport problem is a price for each type: a step gets the type with the least
squared distance plus price. The prices are kept, so new steps are spread evenly too.

scipy's exact solver of assignments needs steps x steps memory, too much for the 25,000 steps of GSM8K. Here the prices
come from Sinkhorn's iteration at a falling temperature, which needs steps x types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from sklearn.cluster import KMeans

from memreason.step_types.corpus import Corpus
from memreason.step_types.methods import Method, Settings, Tensors, Types
from memreason.step_types.standardize import Standard

COOLING = 0.5 ** np.arange(2, 16)
"""Temperatures of Sinkhorn's iteration, as shares of the mean extra cost of a type over the step's cheapest type."""
_SWEEPS, _ROUNDS = 20, 15
_UNEVEN = 1e-3
"""The types are even enough if the logarithm of each share is off by less than this."""


@dataclass(frozen=True)
class Centres(Types):
    """(types, width) centres of standardised vectors, and (types,) prices, all 0 if types need not be of equal size."""

    names: tuple[str, ...]
    standard: Standard
    centres: np.ndarray
    prices: np.ndarray

    def assign(self, corpus: Corpus) -> np.ndarray:
        """(steps,) the type with the least squared distance plus price."""
        return (_distances(self.standard.apply(corpus.embedded), self.centres) + self.prices).argmin(1)

    def state(self) -> tuple[Settings, Tensors]:
        """(settings for JSON, tensors): what `restore` needs."""
        return {}, {**self.standard.tensors(), "centres": self.centres, "prices": self.prices}

    @classmethod
    def restore(cls, names: tuple[str, ...], settings: Settings, tensors: Tensors) -> Centres:
        """The types, made again from the result of `state`."""
        standard, centres, prices = Standard.from_tensors(tensors), tensors["centres"], tensors["prices"]
        if centres.shape != (len(names), len(standard.mean)) or prices.shape != (len(names),):
            raise ValueError(f"centres are {centres.shape}, for {len(names)} types")
        return cls(names, standard, centres, prices)


def fit(corpus: Corpus, num_types: int, seed: int, balanced: bool = False) -> Centres:
    """The best of ten runs of k-means; with ``balanced``, its centres are then moved until types are of equal size."""
    standard = Standard.of(corpus.embedded)
    x = standard.apply(corpus.embedded)
    centres = KMeans(num_types, n_init=10, random_state=seed).fit(x).cluster_centers_
    prices = np.zeros(num_types)
    if balanced:
        types = None
        for _ in range(_ROUNDS):
            prices = balancing_prices(_distances(x, centres), prices)
            before, types = types, (_distances(x, centres) + prices).argmin(1)
            if before is not None and (before == types).all():
                break
            centres = np.stack([x[types == i].mean(0) if (types == i).any() else centres[i] for i in range(num_types)])
        prices = balancing_prices(_distances(x, centres), prices)
    names = tuple(f"{'balanced' if balanced else 'kmeans'}_{i}" for i in range(num_types))
    return Centres(names, standard, centres.astype(np.float32), prices.astype(np.float32))


def balancing_prices(costs: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """(types,) prices with which each type is the cheapest for about an equal share of the steps.

    ``costs`` is (steps, types); ``start`` are the prices to begin with (default: 0). The prices solve the dual of the
    transport problem at the last temperature, so nearly that of the exact problem.
    """
    steps, types = costs.shape
    prices = np.zeros(types) if start is None else start.copy()
    regret = (costs - costs.min(1, keepdims=True)).mean()
    for temperature in COOLING * max(regret, 1e-12):
        for _ in range(_SWEEPS):
            offers = -(costs + prices) / temperature
            surplus = logsumexp(offers - logsumexp(offers, axis=1, keepdims=True), axis=0) + np.log(types / steps)
            prices += temperature * surplus
            if np.abs(surplus).max() < _UNEVEN:
                break
    return prices


def _distances(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(steps, types) squared distances."""
    return (x**2).sum(1)[:, None] - 2 * x @ centres.T + (centres**2).sum(1)


def _method(balanced: bool) -> Method:
    return Method(
        lambda corpus, options: fit(corpus, options.num_types, options.seed, balanced),
        Centres.restore,
        reads_embeddings=True,
    )


METHODS = {"k-means": _method(balanced=False), "balanced-k-means": _method(balanced=True)}
