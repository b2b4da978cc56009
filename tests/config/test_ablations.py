"""The ablation flags: what each makes of the layout, what they refuse, and that checkpoints remember them."""

import pytest

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.planning_tokens.layout import EACH_STEP, FRONT, PLAN_FIRST, PLAN_ONLY, PlanningTokens
from memreason.records import MEMORY, REASON

TYPES = (MEMORY, REASON)


def test_no_flag_is_the_paper_s_method() -> None:
    assert AblationConfig().layout(ModelConfig()) == PlanningTokens(2, 3, TYPES, EACH_STEP)


@pytest.mark.parametrize(
    ("flags", "layout"),
    [
        ({"only_at_front": True}, PlanningTokens(2, 0, (), FRONT)),
        ({"plan_first": True}, PlanningTokens(2, 3, TYPES, PLAN_FIRST)),
        ({"plan_only": True}, PlanningTokens(2, 3, TYPES, PLAN_ONLY)),
        ({"add_hard_prompts": True}, PlanningTokens(0, 0, TYPES, words=True)),
        ({"add_hard_prompts": True, "plan_only": True}, PlanningTokens(0, 0, TYPES, PLAN_ONLY, words=True)),
    ],
)
def test_each_flag_gives_its_layout(flags: dict[str, bool], layout: PlanningTokens) -> None:
    assert AblationConfig(**flags).layout(ModelConfig()) == layout


def test_words_instead_of_tokens_need_no_word_about_the_tokens() -> None:
    plain = ModelConfig(add_soft_prompts=False)
    assert AblationConfig(add_hard_prompts=True).layout(plain).words


@pytest.mark.parametrize(
    ("flags", "model", "message"),
    [
        ({"plan_first": True, "plan_only": True}, {}, "--plan_first and --plan_only contradict"),
        ({"only_at_front": True, "plan_first": True}, {}, "--only_at_front and --plan_first contradict"),
        ({"only_at_front": True, "add_hard_prompts": True}, {}, "no words for those"),
        ({"use_sparse_attention": True, "plan_first": True}, {}, "--use_sparse_attention with --plan_first"),
        ({"use_sparse_attention": True, "add_hard_prompts": True}, {}, "steps cannot be told apart"),
        ({"use_sparse_attention": True}, {"add_soft_prompts": False}, "no tokens to see"),
        ({"use_sparse_attention": True, "use_demonstrations": True}, {}, "taken for steps"),
        ({}, {"parameter_efficient_mode": "prefix-tuning"}, "no place for new tokens"),
        (
            {"mode": "constant_len"},
            {"parameter_efficient_mode": "prefix-tuning", "add_soft_prompts": False},
            "before the first solution",
        ),
        ({"random_initialize": True}, {}, "--random_initialize with --parameter_efficient_mode lora"),
        ({"prompt_template": "vicuna"}, {}, "must be one of plain, alpaca, chat"),
        ({"demo_selection": "best"}, {}, "must be one of uniform, similar"),
        ({"mode": "supervised"}, {}, "must be one of separate, constant_len"),
        ({"sparse_scope": "some"}, {}, "must be one of step, all"),
        ({"only_at_front": True}, {"add_soft_prompts": False}, "no tokens to place"),
        ({"only_at_front": True}, {"num_general_prefix_tokens": 0}, "--num_general_prefix_tokens above 0"),
        ({"plan_first": True}, {"add_soft_prompts": False}, "--plan_first .* no tokens to plan with"),
        ({"plan_only": True}, {"extract_step_type_tokens": "none"}, "--plan_only plans the types"),
        ({"plan_first": True}, {"num_special_prefix_tokens": 0}, "--num_special_prefix_tokens above 0"),
        ({"add_hard_prompts": True}, {"extract_step_type_tokens": "none"}, "no types to name"),
        ({"add_hard_prompts": True}, {"parameter_efficient_mode": "prompt-tuning"}, "nothing would be trained"),
    ],
)
def test_what_makes_no_sense_is_refused(flags: dict[str, bool], model: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        AblationConfig(**flags).layout(ModelConfig(**model))


def test_demonstrations_need_a_number() -> None:
    with pytest.raises(UserError, match="say how many with --k_shot"):
        AblationConfig(use_demonstrations=True).check(ModelConfig(), DataConfig())
    AblationConfig(use_demonstrations=True).check(ModelConfig(), DataConfig(k_shot=1))
