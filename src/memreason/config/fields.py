"""Options as fields of dataclasses, and the checks that many of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any, ClassVar, Protocol, TypeVar

from memreason.errors import UserError, did_you_mean

BASE_HELP = "the base model, if it is no longer at the place that the checkpoint names"
T = TypeVar("T")


def option(default: Any, help: str, choices: Sequence[str] | None = None, aliases: Sequence[str] = ()) -> Any:
    """A dataclass field that `HfArgumentParser` turns into a flag."""
    metadata: dict[str, Any] = {"help": help}
    if choices:
        metadata["choices"] = list(choices)
    if aliases:
        metadata["aliases"] = list(aliases)
    return field(default=default, metadata=metadata)


class HasCheckedFlags(Protocol):
    """A dataclass of options with the names of those that evaluation compares with the checkpoint."""

    checked_flags: ClassVar[tuple[str, ...]]


def with_checked_flags(*kinds: type[HasCheckedFlags]) -> Callable[[type[T]], type[T]]:
    """A decorator that adds the checked options of ``kinds`` at the end of a class that is not yet a dataclass. Their
    default is None."""

    def add(cls: type[T]) -> type[T]:
        for kind in kinds:
            for name in kind.checked_flags:
                cls.__annotations__[name] = f"{kind.__annotations__[name]} | None"
                setattr(cls, name, option(None, "need not be given; if given, must be as in the checkpoint"))
        return cls

    return add


def check_choice(flag: str, value: str, choices: Sequence[str]) -> None:
    """Raise UserError where ``value`` is none of ``choices``."""
    if value not in choices:
        raise UserError(f"--{flag} {value!r}: must be one of {', '.join(choices)}{did_you_mean(value, choices)}")


def check_at_least(flag: str, value: int | float | None, minimum: int | float) -> None:
    """Raise UserError where ``value`` is given and below ``minimum``."""
    if value is not None and not value >= minimum:  # written so that NaN is refused
        raise UserError(f"--{flag} {value}: must be at least {minimum}")
