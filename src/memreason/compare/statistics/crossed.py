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
    """

    questions: float
    degrees: float
    seeds: float = 0.0
    both: float = 0.0
    seed_degrees: int = 0


def spread(sides: Sequence[Units], seeded: Sequence[bool]) -> Spread:
    """The parts of the variance of one arm's figure, or of the difference of two arms' figures.

    Runs of all arms are taken to spread alike: so an arm of one run gets its seed's spread from the other arm. Arms
    that are not ``seeded`` get none.
    """
    added = sides[-1].deviation.mean(0) - (sides[0].deviation.mean(0) if len(sides) == 2 else 0)
    questions = float((added**2).sum())
    degrees = degrees_of_freedom(np.mean([side.share.mean(0) for side in sides], axis=0))
    several = [side for side, by_seed in zip(sides, seeded, strict=True) if by_seed and len(side.value) > 1]
    freedom = sum(len(side.value) - 1 for side in several)
    if not freedom:
        return Spread(questions, degrees)
    figures = sum(float(((side.by_run - side.by_run.mean()) ** 2).sum()) for side in several)
    inside = sum(float(((side.deviation - side.deviation.mean(0)) ** 2).sum()) for side in several)
    drawn = sum(1 / len(side.value) for side, by_seed in zip(sides, seeded, strict=True) if by_seed)
    return Spread(questions, degrees, drawn * figures / freedom, drawn * inside / freedom, freedom)


def combined(parts: Spread) -> tuple[float, float]:
    """(variance, degrees of freedom) of the parts together.

    The sum ``questions + seeds − both`` has the right mean, but with two to eight degrees of freedom ``seeds`` is
    often far too small by luck, and the difference of two estimates can be negative. So ``seeds`` is raised by a
    factor that matters for few runs only, the part of the seeds is at least 0, and Satterthwaite's degrees of freedom
    (Biometrics 1946) count half of ``both`` as if it were seeds. Factor and half were chosen by simulation
    (`benchmarks/comparison.py`): at most 6% of false positives at 5%, whatever share of the variance is the seeds'.
    Where seeds add nothing the test is cautious.
    """
    variance, degrees = combine(parts.questions, parts.degrees, parts.seeds, parts.both, parts.seed_degrees)
    return float(variance), float(degrees)


def combine(questions: Any, degrees: float, seeds: Any, both: Any, seed_degrees: int) -> tuple[Any, Any]:
    """`combined` for numbers or arrays."""
    if not seed_degrees:
        return questions, np.full_like(questions, degrees)
    raised = 1 + 4 / (seed_degrees * (2 * seed_degrees - 1))
    part = np.maximum(0, raised * seeds - both)
    variance = questions + part
    error = questions**2 / degrees + (part + both / 2) ** 2 / seed_degrees
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(error > 0, variance**2 / error, degrees)
    return variance, np.maximum(freedom, min(degrees, seed_degrees))
