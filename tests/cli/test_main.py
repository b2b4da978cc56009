"""The command line: help that teaches, recipes, and an error of its own for each kind of bad input."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from helpers.tiny import SOLUTIONS

from memreason.cli.commands import COMMANDS
from memreason.cli.main import main
from memreason.config.recipes import RECIPES, find_recipe, recipe_names
from memreason.tasks.jsonl import export_jsonl

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    export_jsonl(SOLUTIONS, folder / "train.jsonl")
    test = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for row in test:
        row["question"] = "Now: " + row["question"]
        row["id"] = "test-" + row["id"]
        row["split"] = "test"
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in test))
    return folder


@pytest.fixture
def arguments(bases: dict[str, Path], data: Path, tmp_path: Path) -> list[str]:
    """A complete, quick `memreason train`."""
    return [
        "train", "--dataset", "jsonl", "--data_path", str(data), "--model_name_or_path", str(bases["tied"]),
        "--output_dir", str(tmp_path / "run"), "--num_train_epochs", "1", "--model_max_length", "96",
        "--dtype", "float32", "--disable_tqdm", "True",
    ]  # fmt: skip


def fails(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 2) -> str:
    """Run, expect the exit code, and return the one message, which is no traceback."""
    assert main(argv) == code
    message = capsys.readouterr().err
    assert "Traceback" not in message
    assert f"memreason {argv[0]}: " in message
    return message


class TestHelp:
    def test_the_first_page_names_every_command_and_a_first_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--help"]) == 0
        page = capsys.readouterr().out
        assert all(f"  {command} " in page for command in COMMANDS)
        assert "memreason train --config demo" in page

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_examples_and_explains_each_flag(
        self, command: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
        page = capsys.readouterr().out
        assert page.startswith(f"usage: memreason {command}") and f"  memreason {command}" in page
        assert "--config RECIPE.yaml" in page

    def test_help_and_import_need_no_torch(self) -> None:
        script = (
            "import sys, memreason; from memreason.cli.main import main; main(['--help']); "
            "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules), 'heavy import'"
        )
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)

    @pytest.mark.slow
    def test_help_and_a_typo_of_training_need_no_torch_either(self) -> None:
        for arguments in (["train", "--help"], ["train", "--lerning_rate", "1"], ["train", "--learning_rate", "-1"]):
            script = (
                f"import sys; from memreason.cli.main import main\ntry: main({arguments})\nexcept SystemExit: pass\n"
                "assert 'torch' not in sys.modules, 'heavy import'"
            )
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)

    def test_training_shows_ours_first_each_once_and_the_rest_on_request(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            main(["train", "--help"])
        short = capsys.readouterr().out
        flags = re.findall(r"^  (--[\w-]+)", short, re.M)
        assert len(flags) == len(set(flags)) and not any("-" in flag[2:] for flag in flags)
        assert flags.index("--device") == flags.index("--dtype") + 1 and "--on_device" not in short
        assert "--adam_beta1" not in short and "--help-all" in short
        assert main(["train", "--help-all"]) == 0
        long = capsys.readouterr().out
        assert long.startswith(short) and long.count("--adam_beta1") == 1 and long.count("\n  --learning_rate") == 1

    @pytest.mark.slow
    def test_scoring_and_listing_tasks_need_no_torch(self) -> None:
        script = (
            "import sys, memreason.evaluation.score, memreason.cli.task_table; from memreason.cli.main import main; "
            "main(['tasks', 'atlas']); "
            "assert 'torch' not in sys.modules, 'heavy import'"
        )
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


class TestRecipes:
    def test_every_option_can_stand_in_a_recipe_and_the_command_line_wins(
        self, arguments: list[str], tmp_path: Path
    ) -> None:
        pairs = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        recipe = {key.removeprefix("--"): value for key, value in pairs.items()} | {"num_train_epochs": 5, "lora_r": 4}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        assert main(["train", "--config", str(tmp_path / "recipe.yaml"), "--num_train_epochs", "1"]) == 0
        frozen = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
        assert frozen["lora_r"] == 4 and frozen["num_train_epochs"] == 1
        assert (tmp_path / "run" / "epochs" / "epoch-1").exists()

    def test_a_frozen_config_can_be_run_again(self, arguments: list[str], tmp_path: Path) -> None:
        assert main(arguments) == 0
        again = tmp_path / "again"
        assert main(["train", "--config", str(tmp_path / "run" / "config.yaml"), "--output_dir", str(again)]) == 0
        for name in ("config.yaml", "evaluation/traces.jsonl"):
            assert (again / name).read_bytes() == (tmp_path / "run" / name).read_bytes()

    def test_the_recipes_of_the_project_are_valid(self) -> None:
        from memreason.config.ablations import AblationConfig
        from memreason.config.data import DataConfig
        from memreason.config.model import ModelConfig
        from memreason.training.config import TrainingConfig

        recipes = [RECIPES / f"{name}.yaml" for name in recipe_names("train")]
        assert recipes and {*recipe_names("train"), *recipe_names("study")} == {p.stem for p in RECIPES.glob("*.yaml")}
        for recipe in recipes:
            command = recipe.read_text().partition("\n")[0]
            assert command.startswith(("# memreason train ", "# torchrun "))
            assert f"memreason train --config {recipe.stem}" in command
            COMMANDS["train"].parse(
                (ModelConfig, AblationConfig, DataConfig, TrainingConfig), ["--config", recipe.stem]
            )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("learnin_rate: 1", "did you mean learning_rate"),
            ("- a", "expected a mapping"),
            ("a: [", "not valid YAML"),
        ],
    )
    def test_a_bad_recipe_names_the_file(
        self, text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        error = fails(capsys, "train", "--config", str(path))
        assert message in error and str(path) in error

    def test_a_recipe_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        error = fails(capsys, "train", "--config", "nowhere.yaml")
        assert "No such file" in error and "demo, llama-8b-eight-gpus, " in error
        assert "did you mean demo?" in fails(capsys, "train", "--config", "demoo")
        assert "say --config demo" in fails(capsys, "train", "--config", "recipes/demo.yaml")
        assert fails(capsys, "evaluate", "--config", "demo").endswith("--config demo: No such file or directory\n")

    def test_a_file_wins_over_a_recipe_that_comes_along_and_a_folder_does_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "demo").mkdir()
        assert find_recipe("demo", ["demo"]).parent == RECIPES
        (tmp_path / "strategyqa").write_text("seed: 1\n")
        assert find_recipe("strategyqa", ["strategyqa"]) == Path("strategyqa")


class TestFlags:
    def test_the_old_spelling_of_the_evaluation_strategy(self, arguments: list[str], tmp_path: Path) -> None:
        assert main([*arguments, "--evaluation_strategy", "no", "--save_strategy", "no"]) == 0
        assert not (tmp_path / "run" / "epochs").exists()

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--learnin_rate", "1"], "unknown flag --learnin_rate; did you mean --learning_rate?"),
            (["--parameter_efficient_mode", "prefix"], "invalid choice: 'prefix'"),
            (["--num_test", "many"], "--num_test: 'many' is no whole number"),
            (["--learning_rate", "0,01"], "--learning_rate: '0,01' is no number"),
            (["--output_dir", ""], "--output_dir: the value is empty"),
            (["--device", "gpu"], "--device: invalid choice: 'gpu'"),
            (["--num_test", "-1"], "--num_test -1: must be at least 0"),
            (["--hf_hub_token", "hf_x"], "set the environment variable HF_TOKEN"),
            (["stray"], "unexpected argument 'stray'"),
            (["recipes/demo.yaml"], "a recipe is named by --config recipes/demo.yaml"),
            (["--lr", "1"], "unknown flag --lr; say --learning_rate"),
            (["--load_in_8bit"], "say --int8_training"),
            (["--lora-rr", "4"], "did you mean --lora_r?"),
            (
                ["--add_soft_prompts", "Fals"],
                "--add_soft_prompts: 'Fals' is neither True nor False; did you mean False?",
            ),
            (["--lora_module", "attn"], "did you mean atten?"),
            (["--extract_step_type_tokens", "kmeans"], "did you mean k-means?"),
            (["--dataset", "strategy_qa"], "did you mean strategyqa?"),
            (["--dataset", "mine.jsonl"], "say --dataset jsonl --data_path mine.jsonl"),
            (["--config"], "the file is missing"),
            (["--model_name_or_path", "/no/such/folder"], "model /no/such/folder: no such folder"),
            (["--int4_training", "True"], "4-bit weights need a CUDA GPU"),
            (
                [
                    "--activation_checkpointing",
                    "--parameter_efficient_mode",
                    "prefix-tuning",
                    "--add_soft_prompts",
                    "False",
                ],
                "--activation_checkpointing with --parameter_efficient_mode prefix-tuning",
            ),
            (["--generation_backend", "vllm"], "needs a GPU for itself"),
            (
                ["--parameter_efficient_mode", "prompt-tuning", "--add_soft_prompts", "False"],
                "nothing would be trained",
            ),
            (["--num_general_prefix_tokens", "0", "--num_special_prefix_tokens", "0"], "adds nothing"),
            (["--base_model_name_or_path", "other"], "training starts from one model"),
            (["--model_name_or_path", "no/such/folder/anywhere"], "neither a folder nor"),
            (["--num_countries", "40"], "--num_countries is an option of the dataset atlas"),
            (["--model_max_length", "20"], "no training example is left"),
            (["--plan_first", "True", "--plan_only", "True"], "--plan_first and --plan_only contradict each other"),
            (["--use_demonstrations", "True"], "say how many with --k_shot"),
            (["--use_demonstrations", "True", "--k_shot", "4"], "a question is never shown its own"),
            (["--random_initialize", "True"], "random weights that are frozen can do nothing"),
            (["--prompt_template", "chat"], "has no chat template"),
        ],
    )
    def test_a_bad_flag_has_its_own_message(
        self, flags: list[str], message: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert message in fails(capsys, *arguments, *flags)

    def test_the_last_line_is_the_next_command_to_type(
        self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.startswith("next: ") and f"--model_name_or_path {tmp_path / 'run'}" in last
        assert " ask " in last

    def test_an_unknown_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean train?" in fails(capsys, "trian")

    def test_secrets_are_not_echoed(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "hf_planted" not in fails(capsys, "train", "--hf_hub_token", "hf_planted")


class TestBadData:
    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('{"question": ', "not valid JSON"),
            ('{"question": "Is it?", "steps": []}', "answer"),
            ('{"question": "Is it?", "answer": "True", "steps": ["[wish]: x"]}', "wish"),
            ('{"question": "Is it?", "answer": "True", "steps": ["[memory]: "]}', "empty"),
        ],
    )
    def test_a_bad_line_is_named_by_file_and_number(
        self, line: str, message: str, arguments: list[str], data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with open(data / "train.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")
        error = fails(capsys, *arguments)
        assert f"train.jsonl:{len(SOLUTIONS) + 1}" in error and message in error

    def test_nothing_left_to_train_on_says_why_and_what_to_do(
        self, arguments: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        same = (data / "test.jsonl").read_text().replace('"split": "test"', '"split": "train"')
        (data / "train.jsonl").write_text(same.replace("test-", "again-"))
        message = fails(capsys, *arguments)
        assert "no train questions" in message and "all stand in another split too" in message
        (data / "train.jsonl").unlink()
        assert f"train.jsonl, validation.jsonl or test.jsonl (or .json) in {data}" in fails(capsys, *arguments)
        rows = [
            {"id": str(i), "question": {"stem": f"Where is {i}?", "choices": [{"label": "A", "text": "here"},
             {"label": "B", "text": "there"}]}, "answerKey": "A"} for i in range(20)
        ]  # fmt: skip
        (tmp_path / "csqa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        raw = ["--dataset", "commonsenseqa", "--data_path", str(tmp_path / "csqa.jsonl")]
        assert "Have them written: memreason label --task commonsenseqa" in fails(capsys, *arguments, *raw)

    @pytest.mark.parametrize("questions", [1, 2])
    def test_too_few_questions_say_how_many_are_enough(
        self, questions: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        export_jsonl(SOLUTIONS[:questions], tmp_path / "mine.jsonl")
        message = fails(capsys, "tasks", "jsonl", "--data_path", str(tmp_path / "mine.jsonl"))
        assert f"{questions} questions are too few" in message and "3 are enough" in message

    def test_an_empty_dataset(self, arguments: list[str], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for file in data.iterdir():
            file.write_text("")
        assert str(data) in fails(capsys, *arguments)

    def test_bad_input_leaves_no_run_folder(
        self, arguments: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (data / "train.jsonl").write_text("{")
        fails(capsys, *arguments)
        assert not (tmp_path / "run").exists()


class TestCheckpoints:
    def test_evaluating_a_folder_without_manifest(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "memreason.json" in fails(capsys, "evaluate", "--model_name_or_path", str(tmp_path))
        assert "memreason.json" in fails(capsys, "ask", "Is it?", "--model_name_or_path", str(tmp_path))

    def test_a_base_model_is_evaluated_zero_shot_and_few_shot(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for shots in ("0", "2"):
            code = main(["evaluate", "--model_name_or_path", str(bases["tied"]), "--dataset", "jsonl", "--data_path",
                         str(data), "--k_shot", shots, "--output_dir", str(tmp_path / shots), "--model_max_length",
                         "64", "--json", str(shots == "2")])  # fmt: skip
            assert code == 0
            metrics = json.loads((tmp_path / shots / "metrics.json").read_text())
            assert metrics["overall"]["n"] == len(SOLUTIONS)
            printed = capsys.readouterr().out
            assert json.loads(printed) == metrics if shots == "2" else "accuracy" in printed

    def test_asking_prints_typed_steps(
        self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 0
        capsys.readouterr()
        assert (
            main(["ask", "Is Rome the capital of Italy?", "--model_name_or_path", str(tmp_path / "run"), "--json"]) == 0
        )
        answer = json.loads(capsys.readouterr().out)
        assert set(answer) == {"steps", "answer", "well_formed", "truncated"}
        assert main(["ask", "Is Rome the capital of Italy?", "--model_name_or_path", str(tmp_path / "run")]) == 0

    def test_a_question_must_be_asked(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "the question is missing" in fails(capsys, "ask", "--model_name_or_path", "x")
        assert "the question is missing" in fails(capsys, "ask", " ", "--model_name_or_path", "x")

    def test_data_without_a_dataset_is_not_passed_over(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "say which dataset it is" in fails(capsys, "tasks", "--data_path", "mine.jsonl")
        assert "with --data_path mine.jsonl" in fails(capsys, "tasks", "jsonl", "mine.jsonl")

    def test_help_is_a_command_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["help"]) == 0
        with pytest.raises(SystemExit):
            main(["help", "score"])
        assert "usage: memreason score" in capsys.readouterr().out

    def test_a_question_without_quotes_is_shown_with_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert 'memreason ask "Is Rome old?"' in fails(capsys, "ask", "Is", "Rome", "old?")

    def test_what_is_no_checkpoint_says_what_it_is(
        self, bases: dict[str, Path], arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = ["ask", "Is it?", "--model_name_or_path"]
        assert "it is a base model" in fails(capsys, *asked, str(bases["tied"]))
        assert "memreason train --config demo" in fails(capsys, *asked, str(tmp_path / "nothing"))
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo" / "memreason.json").write_text("{}")
        assert "did you mean demo?" in fails(capsys, *asked, str(tmp_path / "demmo"))
        (tmp_path / "cut" / "checkpoint-3").mkdir(parents=True)
        (tmp_path / "cut" / "checkpoint-3" / "memreason.json").write_text("{}")
        message = fails(capsys, *asked, str(tmp_path / "cut"))
        assert "--resume" in message and "checkpoint-3" in message


class TestCalculator:
    """`--use_calculator`, from training to the checkpoint's own evaluation."""

    @pytest.fixture
    def sums(self, tmp_path: Path) -> Path:
        folder = tmp_path / "sums"
        folder.mkdir()
        for split, numbers in {"train": range(12), "test": range(20, 23)}.items():
            rows = [
                {"question": f"What is {n} and 1?", "answer": f"It is <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1}"}
                for n in numbers
            ]
            (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    def test_a_checkpoint_remembers_it_and_the_flag_overrules(
        self, arguments: list[str], sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from memreason.generation import calculator_processor

        made: list[int] = []

        class Counting(calculator_processor.CalculatorProcessor):
            def __init__(self, *args: object) -> None:
                made.append(1)
                super().__init__(*args)

        monkeypatch.setattr("memreason.generation.engine.CalculatorProcessor", Counting)
        run = str(tmp_path / "run")
        changed = ["--dataset", "gsm8k", "--data_path", str(sums), "--extract_step_type_tokens", "none"]
        assert main([*arguments, *changed, "--use_calculator", "True"]) == 0
        assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["use_calculator"] is True
        evaluate = ["evaluate", "--model_name_or_path", run, "--show", "0"]
        made.clear()
        before = (tmp_path / "run" / "evaluation" / "traces.jsonl").read_bytes()
        assert main(evaluate) == 0 and made
        assert (tmp_path / "run" / "evaluation" / "traces.jsonl").read_bytes() == before
        made.clear()
        assert main(["ask", "What is 3 and 1?", "--model_name_or_path", run]) == 0 and made
        made.clear()
        assert main([*evaluate, "--use_calculator", "False"]) == 0 and not made
        assert (tmp_path / "run" / "evaluation-no-calculator" / "metrics.json").exists()

    def test_without_any_marks_to_complete_it_is_refused(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "no step of jsonl has marks such as <<48/2=24>>" in fails(capsys, *arguments, "--use_calculator", "True")


class _GatedHub(http.server.BaseHTTPRequestHandler):
    """A hub on loopback whose every model is gated."""

    def do_HEAD(self) -> None:
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("X-Error-Message", "Access to this model is restricted.")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def gated_hub() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _GatedHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_what_is_fastest_here_is_said_once_and_a_device_that_is_not_there_is_an_error(
    arguments: list[str], bases: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", "--model_name_or_path", str(bases["tied"]), "--dataset", "jsonl", "--data_path", str(data),
             "--output_dir", str(tmp_path / "base"), "--model_max_length", "48", "--device", "cpu"]  # fmt: skip
    assert main(asked) == 0
    said = capsys.readouterr().err
    assert re.search(r"^data type: (float32|bfloat16), \d+\.\d × as fast as (bfloat16|float32) here$", said, re.M)
    assert said.count("data type:") == 1
    for command in (asked, arguments, ["ask", "Is it?", "--model_name_or_path", str(tmp_path)]):
        assert "--device xpu: there is none that this PyTorch can use" in fails(capsys, *command, "--device", "xpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_gated_model_without_token_says_what_to_do(gated_hub: str, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": gated_hub, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "memreason", "train", "--model_name_or_path", "someone/gated", "--dataset", "atlas",
         "--output_dir", str(tmp_path / "run")],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 2, run.stderr
    assert "someone/gated is gated" in run.stderr and "HF_TOKEN" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from peft import PeftModel

    def full(self: PeftModel, folder: str, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    message = fails(capsys, *arguments, code=1)
    assert "the disk is full" in message and "--resume" in message


@pytest.mark.slow
def test_the_originals_scripts_train_and_evaluate_to_the_same_accuracy(
    bases: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ, "DATASET": "jsonl", "DATA_PATH": str(data), "MODEL": str(bases["padded"]), "N_SPECIAL": "2",
        "OUTPUT": str(tmp_path / "run"), "CHECKPOINT": str(tmp_path / "run"), "OMP_NUM_THREADS": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    options = ["--num_train_epochs", "1", "--dtype", "float32", "--model_max_length", "512"]
    subprocess.run(["bash", str(ROOT / "train.sh"), *options], env=environment, check=True, capture_output=True)
    trained = json.loads((tmp_path / "run" / "metrics.json").read_text())["after"]["test"]
    traces = (tmp_path / "run" / "evaluation" / "traces.jsonl").read_bytes()
    subprocess.run(["bash", str(ROOT / "eval.sh")], env=environment, check=True, capture_output=True)
    metrics = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    assert metrics["overall"]["accuracy"] == trained["accuracy"]
    assert (tmp_path / "run" / "evaluation" / "traces.jsonl").read_bytes() == traces
