"""Recipes and flags → options."""

from dataclasses import fields
from pathlib import Path

import pytest
from transformers import TrainingArguments

from memreason.cli.parser import Parser, huggingface_options
from memreason.config.commands import AskConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.serving.config import WebConfig
from memreason.training.config import TrainingConfig


def parse(*argv: str) -> tuple:
    return Parser((ModelConfig, DataConfig, TrainingConfig), "train").parse(argv)


def test_values_of_every_kind_come_from_a_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "add_soft_prompts: false\nlora_r: 4\nlearning_rate: 1.0e-3\ndata_path:\n"
        "lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1.0e-5}\n"
    )
    model, data, training = parse("--config", str(recipe))
    assert model.add_soft_prompts is False and model.lora_r == 4
    assert data.data_path is None
    assert training.learning_rate == 1e-3 and training.lr_scheduler_kwargs == {"min_lr": 1e-5}


def test_the_command_line_wins_wherever_the_recipe_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("lora_r: 4\n")
    for argv in (["--config", str(recipe), "--lora_r", "8"], ["--lora_r", "8", f"--config={recipe}"]):
        assert parse(*argv)[0].lora_r == 8


def test_lists_are_lists(tmp_path: Path) -> None:
    (config,) = Parser((AskConfig,), "ask", positional=("QUESTION", "question")).parse(["--options", "Seoul", "Tokyo"])
    assert config.options == ["Seoul", "Tokyo"]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("options: [Seoul, Tokyo]\n")
    (config,) = Parser((AskConfig,), "ask", positional=("QUESTION", "question")).parse(["--config", str(recipe)])
    assert config.options == ["Seoul", "Tokyo"]


@pytest.mark.parametrize("value", ["True", "true", "1"])
def test_the_originals_booleans(value: str) -> None:
    assert parse("--add_soft_prompts", value)[0].add_soft_prompts is True
    assert parse("--int8_training")[0].int8_training is True


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--resume_from_checkpoint", "x"], "say --resume"),
        (["--hub_token", "x"], "HF_TOKEN"),
        (["--push_to_hub", "True"], "publish the run when"),
        (["--prediction_loss_only", "True"], "by generation"),
        (["--deepspeed", "zero3.json"], "not supported yet"),
        (["--metric_for_best_model", "loss"], "must be one of eval_acc"),
        (["--save_strategy", "steps"], "save and eval strategy have to match"),
        (["--label_smoothing_factor", "5"], "--label_smoothing_factor 5.0: must be at least 0 and below 1"),
        (["--adam_beta1", "2"], "--adam_beta1 2.0"),
        (["--dataloader_num_workers", "-1"], "--dataloader_num_workers -1: must be at least 0"),
        (["--save_strategy", "steps", "--eval_strategy", "no", "--save_steps", "0"], "--save_steps 0.0: must be above"),
        (["--lr_scheduler_type", "cosin"], "--lr_scheduler_type 'cosin': .*did you mean cosine"),
        (["--lr_scheduler_kwargs", "{bad"], "--lr_scheduler_kwargs: not valid JSON"),
        (["--warmup_ratio", "0.1"], "say --warmup_steps"),
        (["--dtype", "bf16"], "did you mean bfloat16"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(argv: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(*argv)


def test_without_evaluation_the_last_weights_are_kept() -> None:
    training = parse("--evaluation_strategy", "no")[2]
    assert training.eval_strategy == "no" and training.load_best_model_at_end is False


def test_the_options_of_hugging_face_are_known_without_importing_them() -> None:
    assert huggingface_options() == {field.name for field in fields(TrainingArguments) if field.init}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lora_r: four", r"recipe\.yaml:2: --lora_r: 'four' is no whole number"),
        ("add_soft_prompts: maybe", r"recipe\.yaml:2: --add_soft_prompts: 'maybe' is neither True nor False"),
        ("lora_rank: 4", r"recipe\.yaml:2: unknown option: lora_rank; say lora_r"),
        ("help: true", r"recipe\.yaml:2: help is for the command line only"),
        ("config: other.yaml", r"recipe\.yaml:2: config is for the command line only"),
        ("data_path: ''", r"recipe\.yaml:2: --data_path: the value is empty"),
        ("device: gpu", r"recipe\.yaml:2: --device: invalid choice: 'gpu' .*did you mean cuda\?"),
        ("hub_token: hf_x", r"recipe\.yaml:2: option hub_token: keys are never"),
    ],
)
def test_a_mistake_in_a_recipe_names_its_file_and_line(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(f"seed: 1\n{line}\n")
    with pytest.raises(UserError, match=message):
        parse("--config", str(tmp_path / "recipe.yaml"))


def test_what_yaml_would_take_for_false_is_a_choice_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("eval_strategy: no\nadd_soft_prompts: off\n")
    model, _, training = parse("--config", str(tmp_path / "recipe.yaml"))
    assert training.eval_strategy == "no" and model.add_soft_prompts is False


def test_two_recipes_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give one recipe"):
        parse("--config", "a.yaml", "--config=b.yaml")


def test_a_word_without_a_flag_is_what_the_command_is_about_wherever_it_stands() -> None:
    for argv in (["Is it?", "--device", "cpu"], ["--device", "cpu", "Is it?"], ["--question", "Is it?"]):
        (config,) = Parser((AskConfig,), "ask", positional=("QUESTION", "question")).parse(argv)
        assert config.question == "Is it?"
    for argv in (["runs/a", "runs/b", "--port", "9"], ["--port", "9", "runs/a", "runs/b"]):
        (web,) = Parser((WebConfig,), "web", positional=("[RUN …]", "runs")).parse(argv)
        assert web.runs == ["runs/a", "runs/b"]
    with pytest.raises(UserError, match="unexpected argument 'runs/a'"):
        Parser((WebConfig,), "web", positional=("[RUN …]", "runs")).parse(["runs/a", "-x"])
