"""The ablations: options of `memreason train` that each change one thing about the method.

They come from the planning-token paper's code (arXiv 2310.05707), whose flags keep their names. A
checkpoint remembers them, in its manifest or its frozen config, so that evaluation repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from memreason.config import checks
from memreason.config.data import DataConfig
from memreason.config.fields import check_choice, option
from memreason.config.model import LABELLED, InferredTypes, ModelConfig
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.planning_tokens.prompt_templates import PLAIN_TEMPLATE, PROMPT_TEMPLATES

STEP, ALL = "step", "all"
"""What a planning token itself sees under sparse attention: what its step's text sees, or everything
before it. With `step`, nothing of a step's text reaches a later step; with `all`, the original's way,
planning tokens pass on what they gather."""
SEPARATE, CONSTANT_LEN = "separate", "constant_len"
UNIFORM, SIMILAR = "uniform", "similar"


@dataclass(frozen=True)
class AblationConfig:
    """Which ablations are on; by default none."""

    checked_flags: ClassVar[tuple[str, ...]] = (
        "only_at_front", "plan_first", "plan_only", "add_hard_prompts",
        "use_sparse_attention", "prompt_template", "use_demonstrations", "demo_selection",
    )  # fmt: skip
    """Options that `memreason evaluate` takes too, to check them against the checkpoint: the original's scripts give
    them there."""
    _argument_group_name: ClassVar[str] = (
        "ablations, after the code of arXiv 2310.05707: each changes one thing; checkpoints remember them"
    )

    only_at_front: bool = option(
        False,
        "planning tokens only once: the general ones, before the first step; is it the tokens before each step that "
        "help, or any new tokens at all?",
    )
    plan_first: bool = option(
        False,
        "all lines' planning tokens stand on a plan line of their own, and the steps follow plainly; does it help to "
        "plan the whole solution before writing it? (the original writes the tokens before the steps as well)",
    )
    plan_only: bool = option(
        False,
        "the plan line and the answer line, no steps between; how much of the answer needs the steps' texts?",
    )
    add_hard_prompts: bool = option(
        False,
        "plain words instead of new tokens: [memory], [reason], [answer] open the lines, and the numbers of tokens "
        "count for nothing; is it naming the step that helps, or training tokens for it?",
    )
    use_sparse_attention: bool = option(
        False,
        "a step sees the question and itself, and of the steps before only their planning tokens; how much of the "
        "solution is carried by those? (the original hides the question as well)",
    )
    sparse_scope: str = option(
        STEP,
        "with --use_sparse_attention, what planning tokens themselves see: 'step' = what their step's text sees, so "
        "that no text of a step reaches a later one; 'all' = everything before them, so that they pass on what they "
        "gather (the original's way)",
        choices=(STEP, ALL),
    )
    mode: str = option(
        SEPARATE,
        "what --per_device_train_batch_size counts: 'separate' = solutions; 'constant_len' = rows of "
        "--model_max_length, each with as many whole solutions as fit. Either way solutions do not see each other, and "
        "no padding is computed where the model allows it",
        choices=(SEPARATE, CONSTANT_LEN),
    )
    prompt_template: str = option(
        PLAIN_TEMPLATE,
        "how the question is put: 'plain' = Question: …; 'alpaca' = between ### Instruction: and ### Response:; "
        "'chat' = in the tokenizer's own chat template, which then also ends solutions (instruction-tuned models)",
        choices=PROMPT_TEMPLATES,
    )
    use_demonstrations: bool = option(
        False,
        "--k_shot solved training examples stand before every question, in training and evaluation, in the model's own "
        "layout and without loss; they count towards --model_max_length",
    )
    demo_selection: str = option(
        UNIFORM,
        "which examples: 'uniform' = drawn for each question; 'similar' = those with the most similar questions "
        "(tf-idf). Never the question itself",
        choices=(UNIFORM, SIMILAR),
    )
    random_initialize: bool = option(
        False,
        "start from random weights in the base model's shape (--seed), with its tokenizer; the control without "
        "pretraining, for --parameter_efficient_mode none",
    )

    def __post_init__(self) -> None:
        check_choice("prompt_template", self.prompt_template, PROMPT_TEMPLATES)
        check_choice("demo_selection", self.demo_selection, (UNIFORM, SIMILAR))
        check_choice("mode", self.mode, (SEPARATE, CONSTANT_LEN))
        check_choice("sparse_scope", self.sparse_scope, (STEP, ALL))
        placements = [flag for flag in ("only_at_front", "plan_first", "plan_only") if getattr(self, flag)]
        checks.check_ablations(placements, self.use_sparse_attention, self.use_demonstrations, self.add_hard_prompts)

    @property
    def placement(self) -> str:
        """Where planning tokens stand, one of `planning_tokens.PLACEMENTS`."""
        chosen = {FRONT: self.only_at_front, PLAN_FIRST: self.plan_first, PLAN_ONLY: self.plan_only}
        return next((name for name, on in chosen.items() if on), EACH_STEP)

    @property
    def sparse_attention(self) -> str:
        """What planning tokens see under sparse attention; empty where attention is dense."""
        return self.sparse_scope if self.use_sparse_attention else ""

    def layout(self, model: ModelConfig, inferred: InferredTypes | None = None) -> PlanningTokens:
        """The planning tokens of a model, and with them its text layout; ``inferred`` where its types are inferred.

        Raises UserError where the model's options leave nothing for a variant to work on.
        """
        self._check(model)
        general, special = model.num_general_prefix_tokens, model.num_special_prefix_tokens
        if self.add_hard_prompts:
            tokens = PlanningTokens(0, 0, model.step_types(inferred), self.placement, words=True)
        elif not model.add_soft_prompts:
            tokens = PlanningTokens()
        elif self.only_at_front:
            tokens = PlanningTokens(general, 0, (), FRONT)
        else:
            tokens = PlanningTokens(general, special, model.step_types(inferred), self.placement)
        return replace(tokens, prompt_template=self.prompt_template)

    def check(self, model: ModelConfig, data: DataConfig) -> None:
        """Raise UserError where the options together make no sense."""
        self._check(model)
        if self.use_demonstrations:
            method = model.extract_step_type_tokens
            checks.check_demonstrations(data.k_shot, method, method in LABELLED)

    def _check(self, model: ModelConfig) -> None:
        soft = model.add_soft_prompts and not self.add_hard_prompts
        typed = model.extract_step_type_tokens != "none"
        mode = model.parameter_efficient_mode
        checks.check_mode(mode, soft, self.mode == CONSTANT_LEN, self.random_initialize)
        if self.add_hard_prompts:
            checks.check_hard_prompts(typed, mode)
        if self.use_sparse_attention:
            checks.check_sparse(soft)
        if self.only_at_front:
            checks.check_front(soft, model.num_general_prefix_tokens)
        if self.plan_first or self.plan_only:
            flag = "plan_first" if self.plan_first else "plan_only"
            checks.check_plan(flag, soft, self.add_hard_prompts, typed, model.num_special_prefix_tokens)
