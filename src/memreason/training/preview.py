"""The text that training reads, with given planning tokens and ablations: `memreason tasks NAME --as_trained`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from rich.console import Console

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.training import TrainingOptions
from memreason.errors import UserError
from memreason.generation.few_shot import demonstrations_of
from memreason.models.base import resolve
from memreason.models.weights import load_tokenizer
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.prompt import CHAT, chat_text
from memreason.records import Solution
from memreason.step_types.infer import with_inferred_types
from memreason.tasks.load import load_data
from memreason.training.checks import check_labels


class TrainingText(NamedTuple):
    """One example as training reads it. ``prompt`` has no loss; ``target`` and the end token after it are learned."""

    prompt: str
    target: str


def training_texts(
    model: ModelConfig, data: DataConfig, ablations: AblationConfig, console: Console, most: int = 2
) -> list[TrainingText]:
    """The first ``most`` training examples as `memreason train` with these options would read them.

    ``console`` gets the notes on inferred step types. Like training, raises UserError for options that contradict each
    other, and for step types that are not fitted.
    """
    ablations.check(model, data)
    task = load_data(data)
    if not task.splits.get("train"):
        raise UserError(f"{task.name} has no train questions to show; leave out --as_trained")
    inferred = None
    if model.add_soft_prompts or ablations.add_hard_prompts:
        check_labels(task, model)
        task, inferred = with_inferred_types(model, data, task, TrainingOptions.seed, console, progress=False)
    layout = ablations.layout(model, inferred)
    tokenizer = load_tokenizer(resolve(model.model_name_or_path).path) if layout.prompt_template == CHAT else None
    demonstrations = demonstrations_of(ablations, data, task)
    texts = []
    for solution in islice((solution for solution in task.splits["train"] if solution.steps), most):
        shown = demonstrations(solution.question) if demonstrations else ()
        opening = "".join(layout.prefix)  # stands at the end of the prompt, without loss
        target = layout.solution_text(solution.steps, solution.question.answer).removeprefix(opening)
        texts.append(TrainingText(_prompt(layout, solution, shown, tokenizer) + opening, target))
    return texts


def _prompt(layout: PlanningTokens, solution: Solution, shown: Sequence[Solution], tokenizer: object) -> str:
    pairs = [(layout.prompt_text(s.question), layout.solution_text(s.steps, s.question.answer)) for s in shown]
    text = layout.prompt_text(solution.question)
    if tokenizer:
        return chat_text(tokenizer, [turn.strip() for turn in (*(turn for pair in pairs for turn in pair), text)])  # type: ignore[arg-type]
    return "".join(f"{question}{answer}\n\n" for question, answer in pairs) + text
