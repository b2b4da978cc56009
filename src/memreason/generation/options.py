"""How questions are answered, whoever asks: the options that generation and evaluation share."""

from __future__ import annotations

from dataclasses import dataclass

from memreason.generation.few_shot import Demonstrations


@dataclass(frozen=True)
class GenerationOptions:
    """How a model unit answers questions.

    ``batch_size`` answers are under way at once. ``shots`` is a text before every question (`few_shot_text`), for base
    models; ``demonstrations`` are shown before each question, as a part of its prompt. With ``use_calculator`` the
    results in `<<48/2=24>>` are computed, not guessed. ``backend`` is what decodes (`config.data.BACKENDS`).
    """

    batch_size: int = 64
    shots: str = ""
    demonstrations: Demonstrations | None = None
    use_calculator: bool = False
    backend: str = "auto"
