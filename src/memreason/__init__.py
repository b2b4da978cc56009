"""memreason: language models that recall facts and reason about them in separate, marked steps.

from memreason import load
trace = load("runs/demo").answer("Is Sydney the capital of Australia?")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memreason.reasoner import Reasoner, load

__all__ = ["Reasoner", "load"]


def __getattr__(name: str) -> Any:
    # Loading a model needs torch; importing the package does not.
    if name in __all__:
        from memreason import reasoner

        return getattr(reasoner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
