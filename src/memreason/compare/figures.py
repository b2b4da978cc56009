"""The figures of one comparison: each side's, each difference with its adjusted p-value, the decision, the sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from memreason.compare.measures import MEASURES, Measure
from memreason.compare.result import Decision, Gate, PairResult, SideResult
from memreason.compare.sides import Side
from memreason.compare.statistics.arm import Arm, NothingToCompare
from memreason.compare.statistics.difference import difference
from memreason.compare.statistics.multiple import benjamini_hochberg, holm
from memreason.compare.statistics.power import LEVEL
from memreason.compare.statistics.rate import rate
from memreason.compare.statistics.shared import SharedSpread, shared_spread
from memreason.compare.words import gate_sentence, sentence

Pairs = Sequence[tuple[str, str]]
"""(name of the first side, name of the second, which is judged against the first)."""


@dataclass(frozen=True)
class Figures:
    """All that one look at some questions gives."""

    sides: tuple[SideResult, ...]
    pairs: tuple[PairResult, ...]


@dataclass(frozen=True)
class Comparer:
    """A measure of some sides, and who is compared with whom."""

    sides: tuple[Side, ...]
    measure: Measure
    pairs: Pairs
    margin: float | None

    def look(self, arms: Sequence[Arm], clusters: np.ndarray | None) -> Figures:
        """The figures of the sides' ``arms``, before anything is decided: p-values are not adjusted yet.

        Raises NothingToCompare where too few questions count.
        """
        shared = shared_spread(arms)
        return Figures(
            tuple(self._side(side, arm, clusters, shared) for side, arm in zip(self.sides, arms, strict=True)),
            tuple(self._pair(arms, pair, clusters, shared) for pair in self.pairs),
        )

    def decide(self, looks: Sequence[Figures]) -> list[Figures]:
        """The same with decisions and sentences; p-values are adjusted for the comparisons of all these looks."""
        p_values = [pair.p for look in looks for pair in look.pairs]
        adjusted = iter(zip(holm(p_values), benjamini_hochberg(p_values), strict=True))
        decided = []
        for look in looks:
            values = {side.name: side.value for side in look.sides}
            pairs = []
            for pair in look.pairs:
                p_holm, p_bh = next(adjusted)
                known = replace(pair, p_holm=p_holm, p_bh=p_bh)
                pairs.append(self._decided(known, (values[pair.first], values[pair.second]), len(p_values)))
            decided.append(Figures(look.sides, tuple(pairs)))
        return decided

    def _side(self, side: Side, arm: Arm, clusters: np.ndarray | None, shared: SharedSpread | None) -> SideResult:
        paths = tuple(str(run.path) for run in side.runs)
        return SideResult(**vars(rate(arm, clusters, shared)), name=side.name, paths=paths, runs=arm.runs)

    def _pair(
        self, arms: Sequence[Arm], pair: tuple[str, str], clusters: np.ndarray | None, shared: SharedSpread | None
    ) -> PairResult:
        by_name = {arm.name: arm for arm in arms}
        found = difference(by_name[pair[0]], by_name[pair[1]], clusters, shared)
        return PairResult(
            **vars(found),
            first=pair[0],
            second=pair[1],
            p_holm=found.p,
            p_bh=found.p,
            verdict="tied",
            gate=self._gate(found.interval),
            sentence="",
        )

    def _gate(self, interval: tuple[float, float]) -> Gate | None:
        """Where the interval of the difference lies to the margin, counted so that more is better."""
        if self.margin is None:
            return None
        low, high = interval if self.measure.higher_is_better else (-interval[1], -interval[0])
        return "not_worse" if low >= -self.margin else "worse" if high < -self.margin else "cannot_tell"

    def _decided(self, pair: PairResult, values: tuple[float, float], count: int) -> PairResult:
        verdict = decision(pair.difference, pair.p_holm, self.measure.higher_is_better)
        words = sentence(
            self.measure,
            (pair.first, pair.second),
            values,
            (pair.difference, *pair.interval),
            (pair.p_holm, pair.p_method, count),
            verdict,
            pair.smallest,
        )
        if pair.gate and self.margin is not None:
            words += f" {gate_sentence(pair.gate, self.margin, self.measure.kind)}"
        return replace(pair, verdict=verdict, sentence=words)


def decision(difference: float, p: float, higher_is_better: bool | None) -> Decision:
    """What a difference shows, by its adjusted p-value."""
    if p >= LEVEL or not difference:
        return "tied"
    more = difference > 0
    if higher_is_better is None:
        return "higher" if more else "lower"
    return "better" if more == higher_is_better else "worse"


def right_or_wrong(name: str, right: Iterable[bool]) -> Arm:
    """The arm of a single run, of which is known whether each answer is right."""
    values = np.array([list(right)], float)
    return Arm(name, values, np.ones_like(values))


def of_two(first: Arm, second: Arm, measure: str = "accuracy") -> PairResult | None:
    """The second of two arms against the first, without clusters: figures, decision and sentence; None where too few
    questions count. For whoever has the answers already."""
    sides = Side(first.name, ()), Side(second.name, ())
    comparer = Comparer(sides, MEASURES[measure], [(first.name, second.name)], None)
    try:
        (found,) = comparer.decide([comparer.look((first, second), None)])
    except NothingToCompare:
        return None
    return found.pairs[0]
