"""A run from data to figures: what it leaves behind, that evaluation agrees with it, and that it can be resumed."""

import json
import shutil
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from helpers.forked import start
from helpers.runs import options
from helpers.tiny import SHAPES, SOLUTIONS, make_base, teach
from safetensors.torch import load_file

from memreason import load
from memreason.config.ablations import AblationConfig
from memreason.config.checks import PREFIX_TUNING
from memreason.config.commands import EvaluateConfig
from memreason.config.model import PARAMETER_EFFICIENT_MODES
from memreason.config.run import read_config
from memreason.errors import UserError
from memreason.evaluation.evaluate import evaluate
from memreason.evaluation.files import read_traces
from memreason.evaluation.results import EvaluationResult, RunResult, read_result
from memreason.models import dtypes
from memreason.models.manifest import read_manifest
from memreason.runtime.files import read_json
from memreason.training.train import train


@pytest.fixture(scope="module")
def run(bases: dict[str, Path], data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One finished run with the base model asked before."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(*options(bases["tied"], data, folder, k_shot=2))
    return folder


class TestWhatARunLeaves:
    def test_the_files(self, run: Path) -> None:
        names = {path.name for path in run.iterdir()}
        assert names >= {
            "adapter_model.safetensors", "adapter_config.json", "memreason.json", "tokenizer.json", "config.yaml",
            "trainer_state.json", "metrics.json", "before", "epochs", "evaluation",
        }  # fmt: skip
        for folder in (run / "before", run / "evaluation", run / "epochs" / "epoch-1", run / "epochs" / "epoch-2"):
            assert {path.name for path in folder.iterdir()} == {"metrics.json", "traces.jsonl", "traces.txt"}

    def test_no_pickle_and_no_temporary_file_is_left(self, run: Path) -> None:
        suffixes = {path.suffix for path in run.rglob("*") if path.is_file()}
        assert suffixes <= {".json", ".jsonl", ".safetensors", ".txt", ".yaml", ".jinja"}
        assert not [path for path in run.rglob(".*")]

    def test_accuracy_of_each_epoch_is_in_the_trainer_state(self, run: Path) -> None:
        state = json.loads((run / "trainer_state.json").read_text())
        logged = {entry["epoch"]: entry["eval_acc"] for entry in state["log_history"] if "eval_acc" in entry}
        assert set(logged) == {1.0, 2.0}
        for epoch, accuracy in logged.items():
            metrics = read_result(EvaluationResult, run / "epochs" / f"epoch-{epoch:g}" / "metrics.json").overall
            assert metrics.accuracy == accuracy and metrics.n == len(SOLUTIONS)

    def test_the_metrics_before_and_after(self, run: Path) -> None:
        metrics = json.loads((run / "metrics.json").read_text())
        for when in ("before", "after"):
            inner = metrics[when]["test"]
            assert inner["n"] == len(SOLUTIONS)
            assert inner["correct"] + inner["incorrect"] + inner["no_answer"] == inner["n"]
            assert inner["interval"][0] <= inner["accuracy"] <= inner["interval"][1]
        assert metrics["validation"]["epoch"] in (1.0, 2.0)

    def test_the_frozen_config_is_a_recipe(self, run: Path) -> None:
        config = yaml.safe_load((run / "config.yaml").read_text())
        assert config["dataset"] == "jsonl" and config["lora_r"] == 8 and config["learning_rate"] == 1e-2
        of_tokens = {"extract_step_type_tokens", "reuse_reserved_tokens"}
        assert "output_dir" not in config
        assert not [key for key in config if "token" in key and "num_" not in key and key not in of_tokens]

    def test_training_checkpoints_are_checkpoints_too(self, run: Path) -> None:
        folder = sorted(run.glob("checkpoint-*"))[-1]
        assert load(folder).answer(SOLUTIONS[0].question.text).text


class TestEvaluationAgreesWithTraining:
    def test_the_saved_checkpoint_gives_the_same_traces(self, run: Path, tmp_path: Path) -> None:
        result, verdicts, _ = evaluate(EvaluateConfig(str(run), output_dir=str(tmp_path)), progress=False)
        assert result.overall.accuracy == json.loads((run / "metrics.json").read_text())["after"]["test"]["accuracy"]
        assert (tmp_path / "traces.jsonl").read_bytes() == (run / "evaluation" / "traces.jsonl").read_bytes()
        assert verdicts == read_traces(tmp_path / "traces.jsonl")

    def test_so_does_the_best_epoch_on_validation(self, run: Path, tmp_path: Path) -> None:
        config = EvaluateConfig(str(run), split="validation", output_dir=str(tmp_path))
        evaluate(config, progress=False)
        best = json.loads((run / "metrics.json").read_text())["validation"]["epoch"]
        assert (tmp_path / "traces.jsonl").read_bytes() == (
            run / "epochs" / f"epoch-{best:g}" / "traces.jsonl"
        ).read_bytes()

    def test_it_is_written_into_the_checkpoint_where_nothing_else_is_said(self, run: Path) -> None:
        folder = evaluate(EvaluateConfig(str(run)), progress=False)[2]
        assert folder == run / "evaluation"

    def test_traces_as_text_have_question_generated_and_true_solution(self, run: Path) -> None:
        first = (run / "evaluation" / "traces.txt").read_text().split("=" * 80)[0]
        prompt, generated, truth = first.strip().split("\n\n")[:3]
        assert prompt.startswith("Question: Now: Is ")
        assert generated.startswith("<prefix_0><prefix_1>")
        assert "<memory_0><memory_1><memory_2> The capital of" in truth and "The answer is: " in truth

    def test_an_option_that_contradicts_the_checkpoint_is_refused(self, run: Path) -> None:
        with pytest.raises(UserError, match="--num_special_prefix_tokens 7: the checkpoint was trained with 3"):
            evaluate(EvaluateConfig(str(run), num_special_prefix_tokens=7), progress=False)
        with pytest.raises(UserError, match="--k_shot is for base models"):
            evaluate(EvaluateConfig(str(run), k_shot=2), progress=False)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Shape → a tiny base model that knows the four solutions as plain text."""
    root = tmp_path_factory.mktemp("taught")
    return {shape: teach(make_base(root / shape, shape)) for shape in SHAPES}


class TestAblations:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "variant",
        [
            {"only_at_front": True},
            {"plan_first": True},
            {"add_hard_prompts": True},
            {"use_sparse_attention": True},
            {"prompt_template": "alpaca"},
            {"use_demonstrations": True, "demo_selection": "similar"},
        ],
        ids=str,
    )
    def test_a_checkpoint_remembers_its_ablation(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, variant: dict[str, Any]
    ) -> None:
        run = tmp_path / "run"
        shots = {"k_shot": 2, "model_max_length": 256} if "use_demonstrations" in variant else {"model_max_length": 192}
        given = options(bases["padded"], data, run, num_train_epochs=1, save_strategy="no", eval_strategy="no", **shots)
        train(*given, AblationConfig(**variant))
        evaluate(EvaluateConfig(str(run), output_dir=str(tmp_path / "again")), progress=False)
        again, first = ((folder / "traces.jsonl").read_bytes() for folder in (tmp_path / "again", run / "evaluation"))
        assert again == first
        assert read_manifest(run).planning_tokens == AblationConfig(**variant).layout(given[0])
        assert read_manifest(run).sparse_attention == AblationConfig(**variant).sparse_attention
        with pytest.raises(UserError, match="the checkpoint was trained with"):
            evaluate(EvaluateConfig(str(run), **dict.fromkeys(variant, "other")), progress=False)
        assert not (run / "before").exists()

    @pytest.mark.slow
    def test_a_prefix_learns(self, taught: dict[str, Path], data: Path, tmp_path: Path) -> None:
        """At first a random one confuses a model that knows the solutions."""
        run = tmp_path / "run"
        train(*options(taught["tied"], data, run, parameter_efficient_mode=PREFIX_TUNING, learning_rate=1e-1,
                       num_train_epochs=200, eval_strategy="no", save_strategy="no", per_device_train_batch_size=4,
                       add_soft_prompts=False))  # fmt: skip
        log = json.loads((run / "trainer_state.json").read_text())["log_history"]
        losses = [entry["loss"] for entry in log if "loss" in entry]
        assert losses[-1] < losses[0] / 2, losses

    @pytest.mark.slow
    @pytest.mark.parametrize("mode", [PREFIX_TUNING, "none"])
    def test_a_trained_prefix_and_a_random_start_give_the_same_traces_from_their_checkpoint(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, mode: str
    ) -> None:
        run = tmp_path / "run"
        train(*options(bases["tied"], data, run, parameter_efficient_mode=mode, add_soft_prompts=False),
              AblationConfig(random_initialize=mode == "none"))  # fmt: skip
        evaluate(EvaluateConfig(str(run), output_dir=str(tmp_path / "again")), progress=False)
        again, first = ((folder / "traces.jsonl").read_bytes() for folder in (tmp_path / "again", run / "evaluation"))
        assert again == first

    @pytest.mark.slow
    def test_packed_rows_train_the_same_weights(self, bases: dict[str, Path], data: Path, tmp_path: Path) -> None:
        weights = {}
        for mode in ("separate", "constant_len"):
            train(*options(bases["padded"], data, tmp_path / mode, num_train_epochs=2, per_device_train_batch_size=4,
                           model_max_length=128, optim="sgd", learning_rate=1.0, lora_dropout=0.0, eval_strategy="no",
                           save_strategy="no"), AblationConfig(mode=mode))  # fmt: skip
            weights[mode] = load_file(tmp_path / mode / "adapter_model.safetensors")
        assert json.loads((tmp_path / "constant_len" / "metrics.json").read_text())["training"]["rows"] == 2
        for name, tensor in weights["separate"].items():
            assert torch.allclose(tensor, weights["constant_len"][name], atol=1e-5), name

    @pytest.mark.slow
    def test_packed_rows_can_be_resumed(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The interruption is simulated, in the evaluation at the second epoch's end."""
        module = sys.modules["memreason.training.train"]
        evaluate_splits = module.evaluate_splits

        def interrupted(unit, task, names, folder, *rest):
            if folder.name == "epoch-2":
                raise KeyboardInterrupt
            return evaluate_splits(unit, task, names, folder, *rest)

        packed = {"per_device_train_batch_size": 1, "model_max_length": 128, "num_train_epochs": 3}
        whole, stopped = tmp_path / "whole", tmp_path / "stopped"
        train(*options(bases["tied"], data, whole, **packed), AblationConfig(mode="constant_len"))
        monkeypatch.setattr(module, "evaluate_splits", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(*options(bases["tied"], data, stopped, **packed), AblationConfig(mode="constant_len"))
        monkeypatch.undo()
        train(*options(bases["tied"], data, stopped, **packed, resume=True), AblationConfig(mode="constant_len"))
        one, other = (load_file(run / "adapter_model.safetensors") for run in (whole, stopped))
        assert all(torch.equal(one[name], other[name]) for name in one)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("flag", "start"),
        [("only_at_front", "<prefix_0><prefix_1> The capital"), ("plan_first", "<prefix_0><prefix_1><memory_0>"),
         ("plan_only", "<prefix_0><prefix_1><memory_0>"), ("add_hard_prompts", "[memory] The capital")],
    )  # fmt: skip
    def test_a_model_learns_to_write_the_layout(
        self, taught: dict[str, Path], data: Path, tmp_path: Path, flag: str, start: str
    ) -> None:
        run = tmp_path / "run"
        train(*options(taught["tied"], data, run, parameter_efficient_mode="none", learning_rate=5e-3,
                       num_train_epochs=120, eval_strategy="no", save_strategy="no", per_device_train_batch_size=4),
              AblationConfig(**{flag: True}))  # fmt: skip
        traces = load(run).answer([s.question.text for s in SOLUTIONS])
        assert all(trace.text.startswith(start) for trace in traces), [trace.text for trace in traces]
        assert all(trace.well_formed for trace in traces)
        if flag != "only_at_front":
            types = [[step.type for step in s.steps] for s in SOLUTIONS]
            assert [[step.type for step in trace.steps] for trace in traces] == types


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", [mode for mode in PARAMETER_EFFICIENT_MODES if mode != PREFIX_TUNING])
def test_overfitting_four_examples_gives_traces_with_our_tokens(
    taught: dict[str, Path], data: Path, tmp_path: Path, shape: str, mode: str
) -> None:
    rate = {"none": 5e-3, "prompt-tuning": 1e-1}.get(mode, 1e-2)
    train(*options(taught[shape], data, tmp_path / "run", parameter_efficient_mode=mode, lora_r=32, lora_alpha=64,
                   lora_dropout=0.0, learning_rate=rate, num_train_epochs=100, eval_strategy="no",
                   save_strategy="no", per_device_train_batch_size=4))  # fmt: skip
    traces = load(tmp_path / "run").answer([s.question for s in SOLUTIONS])
    given = "<prefix_0><prefix_1>"  # by the prompt, not by the model
    written = [trace.text.removeprefix(given) for trace in traces]
    tokens = read_manifest(tmp_path / "run").token_ids
    losses = [
        entry["loss"] for entry in read_json(tmp_path / "run" / "trainer_state.json")["log_history"] if "loss" in entry
    ]
    assert losses[-1] < 0.8 * losses[0]
    if mode != "lora":  # whose rows, frozen near each other, are hard to tell apart
        assert all(any(name in text for name in tokens) for text in written), written
    if mode in ("none", "lora+prompt-tuning"):
        assert all(text.startswith("<memory_0><memory_1>") for text in written), written
    if mode == "none":
        assert all(trace.well_formed for trace in traces)
        assert [trace.answer for trace in traces] == [s.question.answer for s in SOLUTIONS]


@pytest.mark.slow
def test_plain_chain_of_thought_trains_on_the_same_solutions(
    bases: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    train(*options(bases["tied"], data, tmp_path / "run", add_soft_prompts=False, learning_rate=1e-2, lora_dropout=0.0,
                   lora_r=32, lora_alpha=64, num_train_epochs=200, eval_strategy="no", save_strategy="no"))  # fmt: skip
    trace = load(tmp_path / "run").answer(SOLUTIONS[1].question.text)
    assert trace.well_formed and "<" not in trace.text
    assert [(step.type, step.text) for step in trace.steps] == [("step", step.text) for step in SOLUTIONS[1].steps]


class TestFolders:
    def test_a_folder_that_holds_a_run_is_not_written_over(self, run: Path, bases: dict[str, Path], data: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
        with pytest.raises(UserError, match="already holds a run: continue it with --resume"):
            train(*options(bases["tied"], data, run))
        assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before

    @pytest.mark.slow
    def test_unless_asked_to_and_then_only_its_own_files_go(
        self, bases: dict[str, Path], data: Path, tmp_path: Path
    ) -> None:
        train(*options(bases["tied"], data, tmp_path, num_train_epochs=1))
        (tmp_path / "notes.txt").write_text("mine")
        train(*options(bases["tied"], data, tmp_path, num_train_epochs=1, overwrite_output_dir=True, eval_strategy="no",
                       save_strategy="no"))  # fmt: skip
        assert (tmp_path / "notes.txt").read_text() == "mine"
        assert not (tmp_path / "epochs").exists()

    def test_resuming_where_nothing_was_begun_starts(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        train(*options(bases["tied"], data, tmp_path / "new", num_train_epochs=1, resume=True))
        assert "to resume; starting one" in " ".join(capsys.readouterr().err.split())
        assert (tmp_path / "new" / "metrics.json").exists()

    def test_resuming_needs_the_same_options(self, run: Path, bases: dict[str, Path], data: Path) -> None:
        with pytest.raises(UserError, match=r"other options: lora_r was 8 and is 4"):
            train(*options(bases["tied"], data, run, k_shot=2, lora_r=4, resume=True))

    def test_resuming_a_finished_run_returns_what_it_found(self, run: Path, bases: dict[str, Path], data: Path) -> None:
        result, verdicts = train(*options(bases["tied"], data, run, k_shot=2, resume=True))
        assert result == read_result(RunResult, run / "metrics.json")
        assert len(verdicts) == len(SOLUTIONS)


@pytest.mark.slow
def test_a_run_stays_in_the_data_type_that_it_was_begun_in_whatever_a_later_measurement_says(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(float32: float, bfloat16: float) -> None:
        monkeypatch.setattr(dtypes, "measure", lambda shapes, threads: dtypes.Measured(float32, bfloat16))

    def go(**more: object) -> RunResult:
        wanted = {"dtype": "auto", "k_shot": 2, "num_train_epochs": 1, **more}
        return train(*options(bases["tied"], data, tmp_path / "run", **wanted))[0]

    measured(3.0, 1.0)
    begun = go()
    assert read_json(tmp_path / "run" / "before" / "metrics.json")["dtype"] == "bfloat16"
    measured(1.0, 3.0)
    (tmp_path / "run" / "metrics.json").unlink()  # as if it had been stopped before its end
    resumed = go(resume=True)
    assert resumed.after == begun.after and resumed.after.dtype == "bfloat16"
    assert read_config(tmp_path / "run").model.dtype == read_manifest(tmp_path / "run").dtype == "bfloat16"
    evaluated, _, _ = evaluate(EvaluateConfig(str(tmp_path / "run"), output_dir=str(tmp_path / "e")), progress=False)
    assert evaluated == begun.after
    with pytest.raises(UserError, match="dtype was 'bfloat16' and is 'float32'"):
        go(resume=True, dtype="float32")


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_with_the_weights_of_an_uninterrupted_one(
    bases: dict[str, Path], data: Path, tmp_path: Path
) -> None:
    arguments = [
        "train", "--dataset", "jsonl", "--data_path", str(data), "--model_name_or_path", str(bases["tied"]),
        "--dtype", "float32", "--num_train_epochs", "6", "--model_max_length", "96",
        "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1", "--learning_rate", "1e-2",
        "--lora_dropout", "0.2",
    ]  # fmt: skip
    log = tmp_path / "log"

    def begin(folder: Path, *more: str) -> BaseProcess:
        return start([*arguments, "--output_dir", str(folder), *more], log)

    whole = begin(tmp_path / "whole")
    whole.join()
    assert whole.exitcode == 0, log.read_text()

    killed = tmp_path / "killed"
    moments = iter(["epochs/epoch-1/traces.jsonl", "checkpoint-4/memreason.json", "checkpoint-8/complete",
                    "checkpoint-10/trainer_state.json", "evaluation/metrics.json"])  # fmt: skip
    more: list[str] = []
    for moment in moments:
        process = begin(killed, *more)
        deadline = time.time() + 120
        while not (killed / moment).exists() and process.is_alive() and time.time() < deadline:
            time.sleep(0.002)
        process.kill()
        process.join()
        more = ["--resume"]
    assert not (killed / "metrics.json").exists(), "the last kill came too late to test anything"
    last = begin(killed, "--resume")
    last.join()
    assert last.exitcode == 0, log.read_text()

    one, other = (load_file(folder / "adapter_model.safetensors") for folder in (tmp_path / "whole", killed))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    traces = [(folder / "evaluation" / "traces.jsonl").read_bytes() for folder in (tmp_path / "whole", killed)]
    assert traces[0] == traces[1]


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_written_checkpoint(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is simulated: the first write of weights ends with 'no space left'."""
    import errno

    from peft import PeftModel

    def full(self: PeftModel, folder: str, **_: object) -> None:
        (Path(folder) / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    monkeypatch.setattr(PeftModel, "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        train(*options(bases["tied"], data, tmp_path / "run", num_train_epochs=1))
    assert not list((tmp_path / "run").rglob("adapter_model.safetensors"))
    assert not list((tmp_path / "run").rglob(".saving*"))
    monkeypatch.undo()
    train(*options(bases["tied"], data, tmp_path / "run", num_train_epochs=1, resume=True))
    assert (tmp_path / "run" / "metrics.json").exists()


def test_a_disk_that_fills_while_the_optimizer_is_saved_leaves_no_checkpoint(
    bases: dict[str, Path], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.save says so in its own way (seen on a real full disk), and leaves half a file."""

    def full(state: object, path: str, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        train(*options(bases["tied"], data, tmp_path / "run"))
    assert not list((tmp_path / "run").glob("checkpoint-*"))


class TestWhatCannotGoWell:
    """Each is an error with nothing left behind, the base model's answers before training among it."""

    def lowercasing(self, base: Path, folder: Path) -> Path:
        shutil.copytree(base, folder)
        tokenizer = json.loads((folder / "tokenizer.json").read_text())
        (folder / "tokenizer.json").write_text(json.dumps({**tokenizer, "normalizer": {"type": "Lowercase"}}))
        return folder

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"model_max_length": 513}, "--model_max_length 513: the base model has 512 positions"),
            (
                {"dtype": "float16", "parameter_efficient_mode": "none"},
                "--dtype float16 with --parameter_efficient_mode",
            ),
        ],
        ids=["too long", "float16"],
    )
    def test_options_that_the_model_does_not_allow(
        self, bases: dict[str, Path], data: Path, tmp_path: Path, given: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(UserError, match=message):
            train(*options(bases["tied"], data, tmp_path / "run", k_shot=2, **given))
        assert not (tmp_path / "run").exists()

    def test_a_tokenizer_that_no_solution_survives(self, bases: dict[str, Path], data: Path, tmp_path: Path) -> None:
        base = self.lowercasing(bases["tied"], tmp_path / "base")
        with pytest.raises(UserError, match=r"(?s)came back as.*the answer is: "):
            train(*options(base, data, tmp_path / "run", k_shot=2))
        assert not (tmp_path / "run").exists()
        asked = EvaluateConfig(
            str(base), dataset="jsonl", data_path=str(data), output_dir=str(tmp_path / "asked"), dtype="float32"
        )
        with pytest.raises(UserError, match=r"(?s)came back as.*the answer is: "):
            evaluate(asked, progress=False)
        assert not (tmp_path / "asked").exists()

    def test_a_loss_that_is_not_finite_ends_the_run_and_earlier_checkpoints_stay(
        self, bases: dict[str, Path], data: Path, tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        with pytest.raises(
            UserError, match=r"diverged: the loss of step 2 is (nan|inf) .*--learning_rate.*before that: checkpoint-1"
        ):
            train(*options(bases["tied"], data, run, parameter_efficient_mode="none", learning_rate=1e15,
                           warmup_steps=0, eval_strategy="no", save_strategy="steps", save_steps=1))  # fmt: skip
        assert load(run / "checkpoint-1").unit.manifest.parameter_efficient_mode == "none"
        assert not (run / "metrics.json").exists()

    def test_weights_that_the_last_step_spoils_are_not_saved(
        self, bases: dict[str, Path], data: Path, tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        with pytest.raises(UserError, match=r"diverged: step 1 made .* not finite .*before that: no checkpoint"):
            train(*options(bases["tied"], data, run, learning_rate=1e39, warmup_steps=0, max_steps=1))
        assert not list(run.glob("checkpoint-*")) and not (run / "metrics.json").exists()
