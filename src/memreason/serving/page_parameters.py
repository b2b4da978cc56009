"""The bodies of what the page asks for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from memreason.serving.parameters import Text


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Asked(_Body):
    """The body of POST /web/api/ask: a question."""

    question: Text
    options: list[Text] | None = None
    constrained: bool = False
    """Whether only well-formed answers are possible."""


class GivenEdit(_Body):
    """What becomes of a step, or a step that is put before it."""

    step: int = Field(ge=0)
    type: Text | None = None
    """None: the type that it has."""
    text: Text | None = None
    """None: the text that it has."""
    remove: bool = False
    insert: bool = False


class Continued(Asked):
    """The body of POST /web/api/continue: an answer, by its ids, and what to change in it. Without edits, the answer
    goes on behind exactly these ids."""

    ids: list[int]
    edits: list[GivenEdit] = Field(default_factory=list)


class Worded(Asked):
    """The body of POST /web/api/wordings: an answer, by its ids, and one of its steps (the number of steps: its answer
    line), of which ``n`` other wordings are drawn."""

    ids: list[int]
    step: int = Field(ge=0)
    n: int = Field(16, ge=1)
    temperature: float = Field(1.0, gt=0)
    seed: int = 0
    type: Text | None = None
    """The type that the step is to have; None: the model chooses."""
