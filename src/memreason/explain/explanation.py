"""The form of an explanation: what `explanation.json` holds. Needs no torch."""

from __future__ import annotations

from typing import Any, TypedDict

FORMAT = 1
"""The newest form of explanation.json."""


class Explanation(TypedDict):
    """Everything that `memreason explain` finds about a run. What is not known, or was not computed, is None."""

    format: int
    """The form of this file."""
    run: dict[str, Any]
    """`name`, `dataset`, `base_model`, `mode`, `placement`, `dtype`, and `memreason` (its version); `regenerated`: how
    many questions the model answered once more; `recorded_repeated`: how many of these answers are the same."""
    accuracy: dict[str, Any]
    """`before` and `after` training, by split: `accuracy`, `interval`, `n`; `difference`, by split: `value`,
    `interval`, `n` (the questions answered both times), `p` (McNemar's exact test), `smallest` (the smallest true
    difference that so many questions would have shown four times in five), and `outcomes`: how many were right both
    times (`both`), only before (`only_first`), only after (`only_second`), neither; `overall`: the three over all
    splits."""
    metrics: dict[str, Any]
    """`before` and `after`: `overall` and `splits`, the rows of `metrics.json`."""
    sentences: list[str]
    """Three sentences on the figures."""
    epochs: list[dict[str, Any]]
    """`epoch`, `accuracy`, `interval`, `n`, `memory_true`, `reason_valid`, and `loss`, the mean training loss."""
    errors: dict[str, dict[str, int]] | None
    """Split → cause → number of wrong answers."""
    right: dict[str, dict[str, int]] | None
    """Split → `sound`, `lucky`, `unreadable` → number of right answers."""
    types_fit: dict[str, float | None] | None
    """Split → share of readable steps typed memory or reason that say what their type promises."""
    families: dict[str, Any] | None
    """Family of questions → `n`, `correct`, `errors`: {cause: number}; atlas only."""
    facts: list[dict[str, Any]] | None
    """Every fact recalled, the one false most often first: `fact`, `true` (its value), `n`, `false`, `said`: {value:
    number}, `traces`: ids of the questions in whose traces it was false."""
    confidence: dict[str, Any] | None
    """Of memory steps: `n`, `true` (how many are), `auroc`, `auroc_interval`, `ece`, `mean_true`, `mean_false`, and
    `bins`: `low`, `high`, `n`, `confidence` (mean), `true` (share)."""
    positions: list[dict[str, Any]]
    """`position` (from 1), `counts`: {type: number of steps there}."""
    lengths: dict[str, Any]
    """`steps`, `tokens` and, among these, `planning_tokens` (words in brackets count too; None where there are none),
    by outcome: `count`, `mean`, `histogram`: [least value, number] of each bin, and `width`, that of a bin."""
    interventions: dict[str, Any] | None
    """Name → its figures, as in docs/how-to/intervene.md."""
    attribution: dict[str, Any] | None
    """Which repair makes wrong answers right: `n`, `repaired`, `table`, `by_cause`, `agreement`, `reason`."""
    importance: dict[str, Any] | None
    """`n`, `samples`, `temperature`, `by_type`, `by_position`, `left_out`."""
    attention: dict[str, Any] | None
    """`n`, `mass`: {kind of token: share}, `heads`: those that read memory tokens most."""
    judges: list[dict[str, Any]]
    """Who judged the steps: `name`, `agreement` with the exact judge (None for that one itself)."""
    traces: list[dict[str, Any]]
    """Each trace of the test splits, with what is known about its steps (`kind`, `truth`, `logprob`), `first_wrong`
    (index of the first step that is false or does not follow; the number of steps: the answer line), its numbers of
    `tokens` and `planning_tokens`, `edits`: {intervention: the trace after it}, in which `followed` says whether the
    answer is the one that follows from the change (None where the change makes no other answer follow), `importance` of
    each step, `attention`, and the answer `before` training."""
    config: dict[str, Any]
    """The run's frozen config; of paths only the last part."""
    computed: dict[str, str]
    """Key → how its figures are computed, and what they cannot show."""
    notes: list[str]
    """What a reader must know besides: older files, and what could not be computed."""
