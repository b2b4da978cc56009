"""Does the model know what it knows? The truth of memories against how probable they were. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from memreason.explain.facts import kinds_of
from memreason.records import MEMORY, Verdict

RESAMPLES = 1000
MOST_BINS, LEAST_IN_BIN = 10, 10


class Memory(NamedTuple):
    """A memory step that a judge could read: the trace that it is in, the mean log-probability of its tokens, and
    whether it is true."""

    trace: int
    logprob: float
    true: bool


def memories_of(verdicts: Iterable[Verdict]) -> list[Memory]:
    """The memory steps of the traces that have log-probabilities, and were judged."""
    found = []
    for number, verdict in enumerate(verdicts):
        for kind, truth, logprob in zip(
            kinds_of(verdict), verdict.step_truth or (), verdict.trace.step_logprobs or (), strict=False
        ):
            if kind == MEMORY and truth is not None and logprob is not None:
                found.append(Memory(number, logprob, truth))
    return found


def confidence(memories: Sequence[Memory], seed: int = 0) -> dict[str, Any] | None:
    """`confidence` of an explanation; None where there are no memories. `auroc` is None where all are true, or none.

    The interval of the AUROC is a percentile bootstrap over traces, because memories of one trace hang together.
    """
    if not memories:
        return None
    trace, logprob, true = (np.array(column) for column in zip(*memories, strict=True))
    sure = np.exp(logprob)
    bins = _bins(sure, true)
    auroc, interval = _auroc(trace, logprob, true, seed)
    return {
        "n": len(memories),
        "true": int(true.sum()),
        "auroc": auroc,
        "auroc_interval": interval,
        "ece": sum(each["n"] * abs(each["confidence"] - each["true"]) for each in bins) / len(memories),
        "bins": bins,
        "mean_true": float(sure[true].mean()) if true.any() else None,
        "mean_false": float(sure[~true].mean()) if not true.all() else None,
    }


def _bins(sure: np.ndarray, true: np.ndarray) -> list[dict[str, Any]]:
    """Bins of as equal numbers as can be, from the least probable memories to the most probable ones.

    Nguyen and O'Connor, EMNLP 2015: with bins of equal width almost all memories would be in one.
    """
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, max(1, min(MOST_BINS, len(sure) // LEAST_IN_BIN)))
    return [
        {
            "low": float(sure[part[0]]),
            "high": float(sure[part[-1]]),
            "n": len(part),
            "confidence": float(sure[part].mean()),
            "true": float(true[part].mean()),
        }
        for part in parts
    ]


def _auroc(
    trace: np.ndarray, logprob: np.ndarray, true: np.ndarray, seed: int
) -> tuple[float | None, list[float] | None]:
    """The AUROC and its 95% interval; None for what is not defined."""
    if true.all() or not true.any():
        return None, None
    groups, group = np.unique(trace, return_inverse=True)
    _, rank = np.unique(logprob, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        weight = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)))[group]
        if weight[true].any() and weight[~true].any():
            drawn.append(_weighted_auroc(rank, true, weight))
    interval = [float(bound) for bound in np.quantile(drawn, [0.025, 0.975])] if drawn else None
    return _weighted_auroc(rank, true, np.ones(len(rank))), interval


def _weighted_auroc(rank: np.ndarray, true: np.ndarray, weight: np.ndarray) -> float:
    """As scikit-learn's with ``sample_weight``, a hundred times faster for small integers ``rank`` from 0."""
    at_rank = np.bincount(rank, weight * ~true)
    below = np.cumsum(at_rank) - at_rank / 2
    return float((weight * true) @ below[rank] / (weight[true].sum() * weight[~true].sum()))
