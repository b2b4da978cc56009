"""`memreason tasks NAME --as_trained`: the text that training reads."""

import io
from pathlib import Path

import pytest
from helpers.tiny import SOLUTIONS
from rich.console import Console

from memreason.cli.main import main
from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.tasks.jsonl import export_jsonl
from memreason.training.preview import training_texts


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for split in ("train", "validation", "test"):
        export_jsonl(SOLUTIONS if split == "train" else [], tmp_path / f"{split}.jsonl")
    return tmp_path


def page(data: Path, model: dict | None = None, **ablations: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    options = {"k_shot": 1} if ablations.get("use_demonstrations") else {}
    texts = training_texts(
        ModelConfig(**model or {}), DataConfig("jsonl", str(data), **options), AblationConfig(**ablations), console
    )
    return "\n".join(prompt + target for prompt, target in texts)


def test_planning_tokens_stand_where_the_options_put_them(data: Path) -> None:
    few = {"num_general_prefix_tokens": 1, "num_special_prefix_tokens": 1}
    assert "\n<prefix_0><memory_0> " in page(data, few)
    assert "<prefix_0><memory_0><prefix_0><reason_0><prefix_0><answer_0>\n" in page(data, few, plan_first=True)
    assert "[memory] " in page(data, few, add_hard_prompts=True)
    plain = page(data, {"add_soft_prompts": False})
    assert "<" not in plain and "The answer is: " in plain


def test_templates_and_demonstrations_are_part_of_the_prompt(data: Path) -> None:
    assert "### Instruction:" in page(data, prompt_template="alpaca")
    assert page(data, use_demonstrations=True).count("Question: ") == 4


def test_what_training_refuses_is_refused(data: Path) -> None:
    with pytest.raises(UserError, match="needs types that were fitted before"):
        page(data, {"extract_step_type_tokens": "k-means"})
    with pytest.raises(UserError, match="say how many with --k_shot"):
        training_texts(
            ModelConfig(), DataConfig("jsonl", str(data)), AblationConfig(use_demonstrations=True), Console()
        )


def test_the_command_line_takes_the_options_of_training(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["tasks", "jsonl", "--as_trained", "--data_path", str(data), "--num_special_prefix_tokens", "1"]
    assert main([*argv, "--plan_only"]) == 0
    assert "<memory_0>" in capsys.readouterr().out
