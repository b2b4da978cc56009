"""The ids that stand before an answer."""

from __future__ import annotations

from memreason.generation.options import GenerationOptions
from memreason.models.unit import ModelUnit
from memreason.records import Question


class Prompts:
    """The prompts of a model unit, with the shots or demonstrations of ``options``."""

    def __init__(self, unit: ModelUnit, options: GenerationOptions):
        self._unit, self._demonstrations = unit, options.demonstrations
        self.shots: list[int] = unit.layout.encode_shots(unit.tokenizer, options.shots)
        """What stands before every prompt; often empty."""

    def ids(self, question: Question) -> list[int]:
        """The prompt of a question, behind the shots. Raises UserError as `PlanningTokens.encode_prompt` does."""
        shown = self._demonstrations(question) if self._demonstrations else ()
        return self._unit.layout.encode_prompt(self._unit.tokenizer, question, not self.shots, shown)
