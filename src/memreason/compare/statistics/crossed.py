"""Several runs of an arm on the same questions: both the runs (seeds) and the questions were drawn.

The figure of run r is the arm's, plus what its seed adds, plus what the questions add, plus what this seed adds at
each question. A test over the questions takes the seeds for fixed: it asks whether *these* runs differ, and finds
differences between recipes that are luck with seeds. A test over the runs' figures has two or four degrees of
freedom, and finds next to nothing. Here the parts of the variance are estimated and added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memreason.compare.statistics.shared import SharedSpread
from memreason.compare.statistics.units import Units, degrees_of_freedom


@dataclass(frozen=True)
class Spread:
    """The parts of the variance of a figure, or of a difference of figures.

    Attributes:
        questions: The variance from drawing questions (or clusters), with the runs as they are.
        degrees: The degrees of freedom of ``questions``.
        seeds: The variance from drawing runs, with the questions as they are, from the spread of the runs' figures.
        both: What ``questions`` and ``seeds`` both contain: what a seed adds at single questions.
        seed_degrees: The degrees of freedom of ``seeds``; 0 where no arm has several runs, so that nothing is known of
            seeds and the figure holds for these runs only.
        caution: The factor that ``seeds`` is raised by in a test.
    """

    questions: float
    degrees: float
    seeds: float = 0.0
    both: float = 0.0
    seed_degrees: float = 0.0
    caution: float = 1.0


def spread(sides: Sequence[Units], seeded: Sequence[bool], shared: SharedSpread | None = None) -> Spread:
    """The parts of the variance of one arm's figure, or of the difference of two arms' figures.

    Each arm's runs have a spread of their own. Where only one arm has several runs, the other's single run is taken to
    vary as much, unless it is not ``seeded``: such an arm has no spread by seeds. With ``shared``, each arm's spread is
    moderated by that of the other arms of the study, and that of a single run is theirs.
    """
    added = sides[-1].deviation.mean(0) - (sides[0].deviation.mean(0) if len(sides) == 2 else 0)
    questions = float((added**2).sum())
    degrees = degrees_of_freedom(np.mean([side.share.mean(0) for side in sides], axis=0))
    trained = [side for side, by_seed in zip(sides, seeded, strict=True) if by_seed]
    several = [side for side in trained if len(side.value) > 1]
    if not several:
        return Spread(questions, degrees)
    runs = [len(side.value) for side in several]
    free = [each - 1.0 for each in runs]
    figures = [float(side.by_run.var(ddof=1)) for side in several]
    inside = [float(side.deviation.var(0, ddof=1).sum()) for side in several]
    weights = [1 / each for each in runs]
    single = len(trained) - len(several)
    if shared:
        moderated = [shared.moderated(*each) for each in zip(figures, free, strict=True)]
        moderated += [(shared.typical, shared.degrees)] * single
        figures, free = [each for each, _ in moderated], [each for _, each in moderated]
        weights, inside = weights + [1.0] * single, inside + inside[:single]
    elif single:
        weights[0] += 1.0
    by_arm = [weight * each for weight, each in zip(weights, figures, strict=True)]
    seeds, both = sum(by_arm), sum(weight * each for weight, each in zip(weights, inside, strict=True))
    lost = sum(part**2 / each for part, each in zip(by_arm, free, strict=True))
    freedom = seeds**2 / lost if lost > 0 else float(sum(free))
    if shared:
        freedom = min(freedom, shared.total)
    else:  # Two runs that happen to agree, against five of the other arm: then the other's spread is the better guess.
        seeds = max(seeds, sum(weights) * float(np.average(figures, weights=free)))
    return Spread(questions, degrees, seeds, both, freedom, caution(freedom, len(figures)))


def caution(seed_degrees: float, arms: int) -> float:
    """By how much the seeds' variance is raised, for so many degrees of freedom, from one arm or from two.

    Chosen by simulation. Two arms need less, because Welch's number of degrees of freedom (Biometrika 1947) is cautious
    in itself with few runs.
    """
    return 1 + 1 / seed_degrees**2 if arms == 2 else 1 + 4 / (seed_degrees * (2 * seed_degrees - 1))


def combined(parts: Spread) -> tuple[float, float]:
    """(variance, degrees of freedom) of the parts together.

    The sum ``questions + seeds − both`` has the right mean, but with one to eight degrees of freedom ``seeds`` is
    often far too small by luck, and the difference of two estimates can be negative. So ``seeds`` is raised by a
    factor that matters for few runs only (`caution`), the part of the seeds is at least 0, and Satterthwaite's degrees
    of freedom (Biometrics 1946) count half of ``both`` as if it were seeds. All this was chosen by simulation
    (`benchmarks/comparison.py`): about 5% of false positives where seeds matter, and fewer where they add nothing.
    """
    variance, degrees = combine(parts, parts.questions, parts.seeds, parts.both)
    return float(variance), float(degrees)


def combine(parts: Spread, questions: Any, seeds: Any, both: Any) -> tuple[Any, Any]:
    """`combined` with other values, numbers or arrays, but the degrees of freedom of ``parts``."""
    if not parts.seed_degrees:
        return questions, np.full_like(questions, parts.degrees)
    part = np.maximum(0, parts.caution * seeds - both)
    variance = questions + part
    error = questions**2 / parts.degrees + (part + both / 2) ** 2 / parts.seed_degrees
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(error > 0, variance**2 / error, parts.degrees)
    return variance, np.maximum(freedom, min(parts.degrees, parts.seed_degrees))
