"""How questions are answered: the options that generation, evaluation and training share."""

from __future__ import annotations

from dataclasses import dataclass

from memreason.errors import UserError
from memreason.generation.decoding import Decoding
from memreason.generation.few_shot import Demonstrations


@dataclass(frozen=True)
class GenerationOptions:
    """How a model unit answers questions.

    ``batch_size`` answers are generated at once. ``shots`` is a text before every question (`few_shot_text`), for base
    models; ``demonstrations`` chooses solved examples for the prompt of each question. With ``use_calculator``, results
    in marks such as `<<48/2=24>>` are computed, and not left to the model. ``backend`` says what generates the answers,
    one of `config.data.BACKENDS`. ``decoding`` says how `answer_each` decodes; a request to the engine says it itself.
    ``least_shared``: a prompt that begins as what was read before, by at least this share of it, gets a copy of that.
    A lower share saves time where many requests have one question (see `explain.baseline.SHARED`); but then the bits of
    more answers depend on what was asked before, which can flip a token in 16 bits.
    """

    batch_size: int = 64
    shots: str = ""
    demonstrations: Demonstrations | None = None
    use_calculator: bool = False
    backend: str = "auto"
    decoding: Decoding = Decoding()
    least_shared: float = 0.75

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UserError(f"batch_size {self.batch_size}: must be at least 1")
