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
from memreason.planning_tokens.prompt import PLAIN_TEMPLATE, PROMPT_TEMPLATES

STEP, ALL = "step", "all"
"""What planning tokens see under sparse attention. `step`: the same as the text of their step, so that no text of a
step reaches a later step. `all` (as in the original code): everything before them, so that they pass it on."""
SEPARATE, CONSTANT_LEN = "separate", "constant_len"
UNIFORM, SIMILAR = "uniform", "similar"


@dataclass(frozen=True)
class AblationConfig:
    """Which ablations are on; by default none."""

    checked_flags: ClassVar[tuple[str, ...]] = (
        "only_at_front", "plan_first", "plan_only", "add_hard_prompts",
        "use_sparse_attention", "prompt_template", "use_demonstrations", "demo_selection",
    )  # fmt: skip
    """Options that `memreason evaluate` accepts too and compares with the checkpoint, because the original's scripts
    pass them there."""
    _argument_group_name: ClassVar[str] = (
        "ablations, after the code of arXiv 2310.05707: each changes one thing; checkpoints remember them"
    )

    only_at_front: bool = option(
        False,
        "write only the general planning tokens, and only once, before the first step. Tests whether it helps to have "
        "tokens before each step, or to have any new tokens",
    )
    plan_first: bool = option(
        False,
        "write the planning tokens of all lines together on a first line (the plan), and then the steps without them. "
        "Tests whether it helps to plan the whole solution before writing it (the original also writes the tokens "
        "before each step)",
    )
    plan_only: bool = option(
        False,
        "write only the plan and the answer line, without steps. Tests how much the answer needs the text of the steps",
    )
    add_hard_prompts: bool = option(
        False,
        "plain words instead of new tokens: lines begin with [memory], [reason] or [answer], and the options for the "
        "number of tokens have no effect. Tests whether it helps to name the step, or to train tokens for it",
    )
    use_sparse_attention: bool = option(
        False,
        "a step sees the question, itself, and only the planning tokens of the steps before it. Tests how much of the "
        "solution these tokens carry (the original also hides the question)",
    )
    sparse_scope: str = option(
        STEP,
        "with --use_sparse_attention, what planning tokens see: 'step' = the same as the text of their step, so that "
        "no text of a step reaches a later one; 'all' = everything before them, so that they pass it on (as in the "
        "original)",
        choices=(STEP, ALL),
    )
    mode: str = option(
        SEPARATE,
        "what --per_device_train_batch_size counts: 'separate' = solutions; 'constant_len' = rows of "
        "--model_max_length tokens, each with as many whole solutions as fit. In both, solutions do not see each "
        "other, and no padding is computed if the model allows it",
        choices=(SEPARATE, CONSTANT_LEN),
    )
    prompt_template: str = option(
        PLAIN_TEMPLATE,
        "how the prompt is written: 'plain' = Question: …; 'alpaca' = the question between ### Instruction: and "
        "### Response:; 'chat' = the tokenizer's own chat template, whose end token then ends solutions (for "
        "instruction-tuned models)",
        choices=PROMPT_TEMPLATES,
    )
    use_demonstrations: bool = option(
        False,
        "show --k_shot solved training examples before every question, in training and evaluation, in the model's own "
        "layout and without loss; they count towards --model_max_length",
    )
    demo_selection: str = option(
        UNIFORM,
        "which examples to show: 'uniform' = drawn at random for each question; 'similar' = those with the most "
        "similar questions (tf-idf). The question itself is never shown",
        choices=(UNIFORM, SIMILAR),
    )
    random_initialize: bool = option(
        False,
        "start from random weights (drawn with --seed) in the shape of the base model, with its tokenizer: the control "
        "without pretraining; needs --parameter_efficient_mode none",
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
        """Where planning tokens stand, one of `planning_tokens.layout.PLACEMENTS`."""
        chosen = {FRONT: self.only_at_front, PLAN_FIRST: self.plan_first, PLAN_ONLY: self.plan_only}
        return next((name for name, on in chosen.items() if on), EACH_STEP)

    @property
    def sparse_attention(self) -> str:
        """What planning tokens see under sparse attention; empty where attention is dense."""
        return self.sparse_scope if self.use_sparse_attention else ""

    def layout(self, model: ModelConfig, inferred: InferredTypes | None = None) -> PlanningTokens:
        """The planning tokens, and with them the text layout, of a model with these options.

        ``inferred`` are its step types, if they are inferred from the steps. Raises UserError where the model's options
        leave an ablation without effect.
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
        checks.check_reuse(model.reuse_reserved_tokens, soft)
        if self.add_hard_prompts:
            checks.check_hard_prompts(typed, mode)
        if self.use_sparse_attention:
            checks.check_sparse(soft)
        if self.only_at_front:
            checks.check_front(soft, model.num_general_prefix_tokens)
        if self.plan_first or self.plan_only:
            flag = "plan_first" if self.plan_first else "plan_only"
            checks.check_plan(flag, soft, self.add_hard_prompts, typed, model.num_special_prefix_tokens)
