"""The text that training reads, for any planning tokens and ablations: `memreason tasks NAME --as_trained`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from rich.console import Console
from rich.text import Text

from memreason.config.ablations import VariantConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.training import TrainingOptions
from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.models.base import resolve
from memreason.models.loading import load_tokenizer
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.prompt_templates import CHAT, chat_text
from memreason.records import Solution
from memreason.runtime.terminal import show
from memreason.step_types.infer import with_inferred_types
from memreason.tasks.load import load_data
from memreason.training.checks import check_labels

SHOWN = 2


def print_as_trained(console: Console, model: ModelConfig, data: DataConfig, variants: VariantConfig) -> None:
    """Print the first training examples as `memreason train` with these options would read them, the prompt dim.

    Raises UserError where training would: for options that contradict each other, and step types that are not fitted.
    """
    variants.check(model, data)
    task = load_data(data)
    if not task.splits.get("train"):
        raise UserError(f"{task.name} has no train questions to show; leave out --as_trained")
    inferred = None
    if model.add_soft_prompts or variants.add_hard_prompts:
        check_labels(task, model)
        task, inferred = with_inferred_types(model, data, task, TrainingOptions.seed, console, progress=False)
    layout = variants.layout(model, inferred)
    tokenizer = load_tokenizer(resolve(model.model_name_or_path).path) if layout.prompt_template == CHAT else None
    shown = None
    if variants.use_demonstrations:
        shown = Demonstrations(task, data.k_shot, variants.demo_selection, data.split_seed)
    for solution in islice((one for one in task.splits["train"] if one.steps), SHOWN):
        prompt = _prompt(layout, solution, shown(solution.question) if shown else (), tokenizer)
        show(console, Text(prompt, style="dim"), end="", soft_wrap=True)
        show(console, layout.solution_text(solution.steps, solution.question.answer), soft_wrap=True)
        show(console, "─" * 40, style="dim")
    show(console, "dim: the prompt, without loss; below it what is learned, with the end token after it", style="dim")


def _prompt(layout: PlanningTokens, solution: Solution, shown: Sequence[Solution], tokenizer: object) -> str:
    pairs = [(layout.prompt_text(s.question), layout.solution_text(s.steps, s.question.answer)) for s in shown]
    text = layout.prompt_text(solution.question)
    if tokenizer:
        return chat_text(tokenizer, [turn.strip() for turn in (*(turn for pair in pairs for turn in pair), text)])  # type: ignore[arg-type]
    return "".join(f"{asked}{written}\n\n" for asked, written in pairs) + text
