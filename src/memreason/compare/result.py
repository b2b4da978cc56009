"""The result of a comparison, as types and as JSON. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from memreason.compare.statistics.arm import Difference, Rate

FORMAT = 1
CONFIDENCE = 0.95

Decision = Literal["better", "worse", "tied", "higher", "lower"]
"""What a comparison shows about its second side. `higher` and `lower` stand in the place of `better` and `worse` for a
measure of which it is not said which is better (a length)."""
Gate = Literal["worse", "cannot_tell", "not_worse"]
"""What `--fail_if_worse` finds: the interval of the difference lies below the margin, reaches below it, or does not."""
GATES: tuple[Gate, ...] = get_args(Gate)
"""In the order in which they count, where there are several."""


@dataclass(frozen=True)
class SideResult(Rate):
    """One side's figure. Shares are in [0, 1]."""

    name: str
    """Its name."""
    paths: tuple[str, ...]
    """What it was read from: one file or folder for each run."""
    runs: int
    """Number of runs."""


@dataclass(frozen=True)
class PairResult(Difference):
    """The second side against the first, on the same questions. A difference is second minus first."""

    first: str
    """Name of the side that the second is judged against."""
    second: str
    """Name of the side that is judged."""
    p_holm: float
    """`p` adjusted by Holm's method for all comparisons of this result; in a group, for those of all groups."""
    p_bh: float
    """The same by Benjamini and Hochberg's method: it controls the share of false discoveries."""
    verdict: Decision
    """`better` or `worse` where `p_holm` is below 0.05, else `tied`; what `higher` and `lower` are, `Decision` says."""
    gate: Gate | None
    """Whether the second side is worse by more than `margin`; null without a margin."""
    sentence: str
    """All of it in words."""


@dataclass(frozen=True)
class GroupRow:
    """The comparison on the questions of one group."""

    value: str
    """What the questions of the group have in the field."""
    n: int
    """Number of its questions."""
    arms: tuple[SideResult, ...]
    """The sides' figures on them."""
    comparisons: tuple[PairResult, ...]
    """The comparisons on them."""


@dataclass(frozen=True)
class Groups:
    """The same comparison by the values of a field (`--by`)."""

    by: str
    """Name of the field."""
    rows: tuple[GroupRow, ...]
    """A row for each value."""


@dataclass(frozen=True)
class Unpaired:
    """Questions that not every run has, and how those were found that all have."""

    paired_by: Literal["id and text", "text"]
    """By what questions were paired."""
    total: int
    """Number of questions that some run lacks."""
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path of a run → ids (or texts) of the questions that it lacks."""
    other_text: tuple[str, ...] = ()
    """Those ids among them that stand in every run, but with different texts."""
    other_order: int = 0
    """Number of paired questions whose options stand in another order on some side."""


@dataclass(frozen=True)
class ComparisonResult:
    """One measure, compared between sides: over all questions that they share, or those of one split."""

    measure: str
    """Name of the measure; `memreason compare --help` lists them."""
    label: str
    """The measure in words."""
    kind: Literal["share", "number"]
    """Whether figures are shares in [0, 1], or plain numbers."""
    higher_is_better: bool | None
    """Null where neither is better."""
    n: int
    """Number of questions compared."""
    cluster: str | None
    """The field that says which questions belong together (`--cluster`); null: each stands for itself."""
    n_clusters: int | None
    """Number of clusters."""
    split: str | None
    """The split of the questions; null: all that the sides share."""
    margin: float | None
    """What `--fail_if_worse` says."""
    arms: tuple[SideResult, ...]
    """The sides, in the order in which they were given."""
    comparisons: tuple[PairResult, ...]
    """The comparisons, in the order of the sides."""
    groups: Groups | None
    """The same by group; null without `--by`."""
    unpaired: Unpaired
    """Questions left out."""
    warnings: tuple[str, ...]
    """What to know before the figures are believed."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON, with "format" and "confidence" (0.95) beside them."""
        return _plain({"format": FORMAT, "confidence": CONFIDENCE, **asdict(self)})


def _plain(value: Any) -> Any:
    """``value`` as JSON has it: tuples become lists."""
    if isinstance(value, Mapping):
        return {key: _plain(content) for key, content in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def gate_of(results: Sequence[ComparisonResult]) -> Gate | None:
    """What `--fail_if_worse` finds over results: worse where any comparison is, else cannot tell where any cannot,
    else not worse; None without a margin.

    Of each measure, the result over all questions counts (or that of the only split); not those of splits beside it,
    and no groups.
    """
    first = {result.measure: result for result in reversed(results)}
    gates = [pair.gate for result in first.values() for pair in result.comparisons]
    return next((gate for gate in GATES if gate in gates), None)


def to_json(results: Sequence[ComparisonResult]) -> dict[str, Any]:
    """What `memreason compare --json` prints: {"format", "gate", "results": [what `ComparisonResult.to_json` gives]}.

    ``results`` has for each measure that over all questions, followed by those of the splits.
    """
    return {"format": FORMAT, "gate": gate_of(results), "results": [result.to_json() for result in results]}
