"""Who judged the steps, and how far that judge agrees with the exact one. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from memreason.runtime.reading import check_fields


@dataclass(frozen=True)
class OfKind:
    """How far a judge agrees with the exact judge on one kind of step. What is looked for are false steps.

    Rates are in [0, 1], kappa is at most 1; None where there is nothing to divide by.
    """

    n: int
    """Number of steps that the exact judge could judge."""
    unverifiable: float
    """Share of these steps that the judge could not judge."""
    precision: float | None
    """Share of false steps among those that the judge calls false."""
    recall: float | None
    """Share of the false steps that the judge calls false; those that it could not judge are not found."""
    kappa: float | None
    """Cohen's kappa between the two judges, over the steps that both judged: 1 = always the same, 0 = as by chance."""
    counts: dict[str, dict[str, int]]
    """What is so (`true`, `false`) → what the judge says (`true`, `false`, `unverifiable`) → number of steps."""


@dataclass(frozen=True)
class Agreement:
    """How far a judge agrees with the exact judge of atlas."""

    judge: str
    """The judge's name."""
    on: str
    """Which traces both have read, in words."""
    traces: int
    """Number of these traces."""
    kinds: dict[str, OfKind]
    """`memory` (steps that say a fact), `reason` (steps that say a conclusion) and `answer` (the answer line) → the
    agreement on these."""
    wrong: int
    """Number of wrong answers among these traces."""
    same_cause: float | None
    """Share of the wrong answers for which the judge names the cause that the exact judge names."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Read `to_json` back. Raises KeyError, TypeError."""
        plain = {name: row[name] for name in ("judge", "on", "traces", "wrong", "same_cause")}
        check_fields(cls, plain)
        for of_kind in row["kinds"].values():
            check_fields(OfKind, of_kind)
        return cls(**plain, kinds={kind: OfKind(**of_kind) for kind, of_kind in row["kinds"].items()})
