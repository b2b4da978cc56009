"""Options as fields of dataclasses, and the checks that many of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from memreason.errors import UserError, did_you_mean


def option(default: Any, help: str, choices: Sequence[str] | None = None, aliases: Sequence[str] = ()) -> Any:
    """A dataclass field that `HfArgumentParser` turns into a flag."""
    metadata: dict[str, Any] = {"help": help}
    if choices:
        metadata["choices"] = list(choices)
    if aliases:
        metadata["aliases"] = list(aliases)
    return field(default=default, metadata=metadata)


def check_choice(flag: str, value: str, choices: Sequence[str]) -> None:
    """Raise UserError where ``value`` is none of ``choices``."""
    if value not in choices:
        raise UserError(f"--{flag} {value!r}: must be one of {', '.join(choices)}{did_you_mean(value, choices)}")


def check_at_least(flag: str, value: int | float | None, minimum: int | float) -> None:
    """Raise UserError where ``value`` is given and below ``minimum``."""
    if value is not None and not value >= minimum:  # not a number is not enough
        raise UserError(f"--{flag} {value}: must be at least {minimum}")
