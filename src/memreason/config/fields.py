"""Options as fields of dataclasses, and the checks that many of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field, fields
from typing import Any, TypeVar

from memreason.errors import UserError, did_you_mean

T = TypeVar("T")
_CHECKED = "checked"


def option(default: Any, help: str, choices: Sequence[str] | None = None, aliases: Sequence[str] = ()) -> Any:
    """A dataclass field that `HfArgumentParser` turns into a flag."""
    metadata: dict[str, Any] = {"help": help}
    if choices:
        metadata["choices"] = list(choices)
    if aliases:
        metadata["aliases"] = list(aliases)
    return field(default=default, metadata=metadata)


def checked_option(default: Any, help: str, choices: Sequence[str] | None = None, aliases: Sequence[str] = ()) -> Any:
    """An option of training that `memreason evaluate` takes too, to check it against the checkpoint (the original's
    scripts give it there); see `with_checked_flags`."""
    made = option(default, help, choices, aliases)
    return field(default=default, metadata={**made.metadata, _CHECKED: True})


def checked_flags(*kinds: type) -> list[str]:
    """The names of the options of ``kinds`` that were made by `checked_option`."""
    return [each.name for kind in kinds for each in fields(kind) if _CHECKED in each.metadata]


def with_checked_flags(*kinds: type) -> Callable[[type[T]], type[T]]:
    """Decorate a class, before it becomes a dataclass, so that it ends with the checked options of ``kinds``; each is
    None where it is not given."""

    def add(cls: type[T]) -> type[T]:
        names = checked_flags(*kinds)
        for each in (each for kind in kinds for each in fields(kind) if each.name in names):
            cls.__annotations__[each.name] = f"{each.type} | None"
            setattr(cls, each.name, option(None, "checked against the checkpoint, which knows"))
        return cls

    return add


def check_choice(flag: str, value: str, choices: Sequence[str]) -> None:
    """Raise UserError where ``value`` is none of ``choices``."""
    if value not in choices:
        raise UserError(f"--{flag} {value!r}: must be one of {', '.join(choices)}{did_you_mean(value, choices)}")


def check_at_least(flag: str, value: int | float | None, minimum: int | float) -> None:
    """Raise UserError where ``value`` is given and below ``minimum``."""
    if value is not None and not value >= minimum:  # not a number is not enough
        raise UserError(f"--{flag} {value}: must be at least {minimum}")
