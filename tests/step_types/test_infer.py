"""From the command line: fit types, look at them, train with them; and every way in which that cannot work."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SOLUTIONS
from rich.console import Console

from memreason.cli.main import main
from memreason.config.data import DataConfig
from memreason.config.model import CONTROLS, INFERRED, InferredTypes, ModelConfig
from memreason.errors import UserError
from memreason.models.build import build
from memreason.models.manifest import read_manifest
from memreason.planning_tokens.parse import parse_text
from memreason.records import MEMORY, PLAIN, Question, Solution, Step
from memreason.step_types.arithmetic import NAMES
from memreason.step_types.infer import check_same_types, with_inferred_types
from memreason.step_types.store import default_folder
from memreason.tasks.base import TaskData
from memreason.tasks.jsonl import export_jsonl

QUICK = ("+-*/", "k-means", "vae-next-step")
"""Everyday tests do without the other methods' commands; their fits are tested beside this file."""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixteen training questions, with labels; the working folder is a temporary one."""
    monkeypatch.chdir(tmp_path)
    for split, times in (("train", 4), ("validation", 1), ("test", 1)):
        solutions = [
            Solution(Question(f"{split}-{i}-{s.question.id}", f"{split} {i}: {s.question.text}", s.question.answer),
                     s.steps)
            for i in range(times) for s in SOLUTIONS
        ]  # fmt: skip
        export_jsonl(solutions, tmp_path / "data" / f"{split}.jsonl")
    return tmp_path / "data"


@pytest.fixture
def fit_command(data: Path, bases: dict[str, Path]) -> list[str]:
    return [
        "step-types", "fit", "--dataset", "jsonl", "--data_path", str(data), "--model_name_or_path", str(bases["tied"]),
        "--num_types", "3", "--train_epoch", "2", "--dtype", "float32",
    ]  # fmt: skip


@pytest.fixture
def train_command(data: Path, bases: dict[str, Path]) -> list[str]:
    return [
        "train", "--dataset", "jsonl", "--data_path", str(data), "--model_name_or_path", str(bases["tied"]),
        "--num_train_epochs", "1", "--model_max_length", "128", "--dtype", "float32", "--disable_tqdm", "True",
        "--save_strategy", "no", "--eval_strategy", "no", "--num_plan_types", "3", "--output_dir", "run",
    ]  # fmt: skip


def fails(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    capsys.readouterr()
    assert main(argv) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(("text", "pictures"), [("3 + 4", []), ("3 + 4\n5 * 6", ["steps.png"])])
def test_a_single_step_has_no_picture_and_texts_need_no_words(
    text: str, pictures: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = tuple(Step(MEMORY, line) for line in text.splitlines())
    export_jsonl([Solution(Question("a", "How many?", "7"), steps)], data / "train.jsonl")
    command = ["step-types", "fit", "--dataset", "jsonl", "--data_path", str(data), "--output_dir", "fit"]
    assert main([*command, "--selection_method", "+-*/"]) == 0
    assert [path.name for path in Path("fit").glob("*.png")] == pictures
    assert ("there is only one step" in capsys.readouterr().out) == (not pictures)


@pytest.mark.slow
@pytest.mark.parametrize("method", [m if m in QUICK else pytest.param(m, marks=pytest.mark.slow) for m in INFERRED])
def test_every_method_fits_shows_trains_and_evaluates(
    method: str, fit_command: list[str], train_command: list[str], bases: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert main([*fit_command, "--selection_method", method]) == 0
    folder = Path(default_folder("jsonl", method, 3, str(bases["tied"])))
    pictures = {"steps.png", "losses.png"} if method.startswith("vae") else {"steps.png"}
    assert {path.name for path in folder.iterdir()} == {
        "step_types.json", "step_types.safetensors", "steps.jsonl", *pictures,
    }  # fmt: skip
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    capsys.readouterr()
    assert main(["step-types", "show", str(folder)]) == 0
    page = capsys.readouterr().out
    assert "entropy" in page and "perplexity" in page and "nearest to its centre" in page
    assert main([*train_command, "--extract_step_type_tokens", method]) == 0
    manifest = read_manifest(Path("run"))
    assert manifest.planning_tokens.step_types == tuple(json.loads((folder / "step_types.json").read_text())["names"])
    assert manifest.step_type_record["method"] == method and len(manifest.step_type_record["fingerprint"]) == 16
    assert main(["evaluate", "--model_name_or_path", "run", "--extract_step_type_tokens", method]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("method", [*CONTROLS, "shuffled:+-*/", "tf-idf", "+-*/"])
def test_controls_and_methods_that_read_no_embeddings_need_no_fit(
    method: str, train_command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*train_command, "--extract_step_type_tokens", method]) == 0
    assert f"step types by {method}" in " ".join(capsys.readouterr().err.split())
    expected = {"random": {"random_0", "random_1", "random_2"}, "shared": {"shared"}, "shuffled": {"memory", "reason"},
                "shuffled:+-*/": set(NAMES), "+-*/": set(NAMES)}  # fmt: skip
    types = read_manifest(Path("run")).planning_tokens.step_types
    assert set(types) == expected.get(method, set(types)) and types


def test_plain_chain_of_thought_needs_no_types_and_general_tokens_alone_carry_none(train_command: list[str]) -> None:
    assert main([*train_command, "--extract_step_type_tokens", "vae", "--add_soft_prompts", "False"]) == 0
    assert read_manifest(Path("run")).step_type_record is None
    command = [*train_command, "--extract_step_type_tokens", "+-*/", "--overwrite_output_dir"]
    assert main([*command, "--num_special_prefix_tokens", "0"]) == 0
    assert list(read_manifest(Path("run")).token_ids) == ["<prefix_0>", "<prefix_1>"]


class TestWhatCannotWork:
    @pytest.mark.parametrize("method", ["vae"])
    def test_a_missing_fit_gives_the_command_that_makes_it(
        self, method: str, train_command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        message = fails(capsys, [*train_command, "--extract_step_type_tokens", method])
        line = next(line.strip() for line in message.splitlines() if line.strip().startswith("memreason step-types"))
        assert not Path("run").exists()
        assert main([*line.split()[1:], "--dtype", "float32", "--train_epoch", "2"]) == 0
        assert main([*train_command, "--extract_step_type_tokens", method]) == 0

    def test_types_of_another_method_or_number_are_refused(
        self, fit_command: list[str], train_command: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main([*fit_command, "--output_dir", "fit"]) == 0
        command = [*train_command, "--step_types_path", "fit", "--extract_step_type_tokens"]
        assert "fit holds types that k-means inferred" in fails(capsys, [*command, "vae"])
        assert "fit holds 3 types; give this number" in fails(capsys, [*command, "k-means", "--num_plan_types", "4"])

    def test_a_model_that_changed_since_the_fit_is_noticed(
        self, fit_command: list[str], train_command: list[str], bases: dict[str, Path],
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        assert main([*fit_command, "--output_dir", "fit"]) == 0
        record = json.loads(Path("fit/step_types.json").read_text())
        record["source"]["model"] = str(bases["untied"])
        Path("fit/step_types.json").write_text(json.dumps(record))
        message = fails(capsys, [*train_command, "--step_types_path", "fit", "--extract_step_type_tokens", "k-means"])
        assert "is not the model that these step types were fitted with" in message

    def test_a_run_does_not_go_on_with_types_fitted_anew(self, train_command: list[str]) -> None:
        assert main([*train_command, "--extract_step_type_tokens", "tf-idf"]) == 0
        manifest = read_manifest(Path("run"))
        check_same_types(Path("run"), manifest)
        anew = replace(manifest, step_type_record={**manifest.step_type_record, "fingerprint": "0" * 16})
        with pytest.raises(UserError, match="begun with other step types"):
            check_same_types(Path("run"), anew)

    def test_a_fit_is_not_written_over(self, fit_command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(fit_command) == 0
        assert "already holds a fit" in fails(capsys, fit_command)
        assert main([*fit_command, "--overwrite_output_dir"]) == 0

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ([], "say fit or show"),
            (["shew"], "say fit or show"),
            (["show"], "the folder is missing"),
            (["show", "nowhere"], "no step_types.json in it"),
            (["fit", "--selection_method", "kmeans"], "invalid choice"),
            (["fit", "--num_types", "1"], "--num_types 1: must be at least 2"),
        ],
    )
    def test_a_bad_command_has_its_own_message(
        self, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert message in fails(capsys, ["step-types", *argv])

    def test_shuffling_labels_needs_labels(self, data: Path, train_command: list[str],
                                           capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
        plain = [Solution(Question("q", "?", "1"), (Step(PLAIN, "1 + 1"),))]
        with pytest.raises(UserError, match=r"shuffled:\+-\*/"):
            with_inferred_types(ModelConfig(extract_step_type_tokens="shuffled"), DataConfig(),
                                TaskData("made up", "text", {"train": plain}), 0, Console())  # fmt: skip


class TestTokens:
    @pytest.mark.parametrize("name", [*NAMES, "kmeans_3", "sqvae_10", "balanced_0", "random_1", "shared", "total"])
    def test_every_types_tokens_can_be_read_back(self, name: str) -> None:
        steps, _ = parse_text(f"<prefix_0><{name}_0><{name}_1> 1 + 1 = 2\nThe answer is: 2")
        assert steps == (Step(name, "1 + 1 = 2"),)

    def test_the_rows_of_types_start_from_their_words_and_apart_from_each_other(self, bases: dict[str, Path]) -> None:
        config = ModelConfig(str(bases["untied"]), dtype="float32", extract_step_type_tokens="k-means")
        words = {"kmeans_0": "capital", "kmeans_1": "France", "kmeans_2": "Rome"}
        unit = build(config, 64, inferred=InferredTypes(words, {"method": "k-means"}))
        rows = unit.merge().get_input_embeddings().weight
        for name, word in words.items():
            ids = unit.tokenizer.encode(" " + word, add_special_tokens=False)
            near = rows[ids].float().mean(0)
            own = rows[unit.manifest.token_ids[f"<{name}_0>"]]
            others = [rows[unit.manifest.token_ids[f"<{other}_0>"]] for other in words if other != name]
            assert torch.dist(own, near) < 0.3 * min(torch.dist(own, other) for other in others)

    def test_options_do_not_know_inferred_types_before_they_are_inferred(self) -> None:
        with pytest.raises(ValueError, match="known once they are inferred"):
            ModelConfig(extract_step_type_tokens="vae").step_types()
