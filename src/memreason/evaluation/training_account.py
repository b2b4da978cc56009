"""What a run was trained on: the part `training` of its metrics.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from memreason.runtime.reading import known_fields


@dataclass(frozen=True)
class TrainingAccount:
    """What a run was trained on."""

    examples: int
    """Number of solutions."""
    tokens: int
    """Number of tokens in these solutions with their questions: the tokens of one epoch."""
    too_long: tuple[str, ...] = ()
    """Ids of questions left out because their text is longer than `--model_max_length`."""
    without_steps: tuple[str, ...] = ()
    """Ids of questions left out because their solution has no steps."""
    rows: int | None = None
    """Number of rows that the examples are packed into; only there with `--mode constant_len`."""
    optimizer_steps: int | None = None
    """Number of optimizer steps. This and what follows is null in older files."""
    trained_tokens: int | None = None
    """Number of tokens trained on: as `tokens`, over all epochs, each as often as it came."""
    trained_weights: int | None = None
    """Number of weights that were trained."""
    questions: str | None = None
    """Digest of the questions that were trained on, with their options and gold answers. It and the next two are equal
    in two runs that were taught the same, whatever the planning tokens and step types."""
    solutions: str | None = None
    """Digest of the texts of these questions' labelled steps."""
    order: str | None = None
    """Digest of the questions in the order in which they were trained on, over all epochs."""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON, without those that are None."""
        row = asdict(self) | {"too_long": list(self.too_long), "without_steps": list(self.without_steps)}
        return {name: value for name, value in row.items() if value is not None}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Read `to_json` back. Raises KeyError, TypeError."""
        known = known_fields(cls, row)
        return cls(**known | {name: tuple(known.get(name, ())) for name in ("too_long", "without_steps")})
