"""Tasks for lm-evaluation-harness: the files; and, where it is installed, the answers it finds."""

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from helpers.tiny import SOLUTIONS, teach
from helpers.units import config as model_config
from helpers.units import train_a_little

from memreason.cli.main import main
from memreason.config.ablations import AblationConfig
from memreason.config.commands import EvaluateConfig
from memreason.config.data import DataConfig
from memreason.config.run import RunConfig, read_config, write_config
from memreason.errors import UserError
from memreason.evaluation.evaluate import evaluate
from memreason.export.config import ExportConfig
from memreason.export.lm_eval import export
from memreason.export.merged import write_merged
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.manifest import read_manifest
from memreason.records import Solution
from memreason.runtime.files import read_jsonl
from memreason.tasks.jsonl import export_jsonl
from memreason.tasks.load import load_data

TEMPLATE = (
    "{% for m in messages %}{{ '<|begin|>' + m['role'] + '\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|begin|>assistant\n' }}{% endif %}"
)


def checkpoint(base: Path, data: Path, folder: Path, ablations: AblationConfig | None = None, **options) -> Path:
    """A checkpoint whose model was trained for three steps."""
    ablations, options = ablations or AblationConfig(), {"model_max_length": 96, "num_test": 0} | options
    model = model_config(base, "lora" if ablations.add_hard_prompts else "lora+prompt-tuning")
    run = RunConfig(model, ablations, DataConfig("jsonl", str(data), **options))
    unit = build(run.model, run.data.model_max_length, ablations=run.ablations)
    train_a_little(unit)
    unit.save(folder)
    write_config(folder, run)
    return folder


@pytest.fixture(scope="module")
def taught(bases, tmp_path_factory) -> dict[str, Path]:
    """Shape → a base model that knows the questions' form."""
    root = tmp_path_factory.mktemp("taught")
    return {shape: teach(Path(shutil.copytree(bases[shape], root / shape)), 60) for shape in ("untied", "padded")}


def exported(folder: Path, to: Path):
    return export(ExportConfig(str(folder), "lm-eval", str(to)))


def read_yaml(path: Path):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: f"!{loader.construct_scalar(node)}")
    return yaml.load(path.read_text(), Loader)


def test_there_is_a_task_for_each_split_and_a_group_of_the_test_splits(bases, data, tmp_path):
    result = exported(checkpoint(bases["tied"], data, tmp_path / "run"), tmp_path / "out")
    assert set(result.files) == {
        "group.yaml", "memreason_export.json", "settings.json", "utils.py",
        *(f"{split}.{end}" for split in ("train", "validation", "test") for end in ("jsonl", "yaml")),
    }  # fmt: skip
    group, task = (read_yaml(tmp_path / f"out/{name}.yaml") for name in ("group", "test"))
    assert (group["group"], group["task"]) == ("memreason_jsonl", ["memreason_jsonl_test"])
    assert task["task"] == "memreason_jsonl_test" and task["dataset_kwargs"] == {"data_files": "test.jsonl"}
    assert task["generation_kwargs"]["until"] == ["<|end|>"] and task["generation_kwargs"]["do_sample"] is False
    assert [each["name"] for each in task["filter_list"]] == ["strict", "flexible"]
    rows = [row for _, row in read_jsonl(tmp_path / "out/test.jsonl")]
    assert [row["answer"] for row in rows] == ["True", "False", "True", "False"]
    assert rows[0]["prompt"] == "Question: Now: Is Paris the capital of France?\n<prefix_0>"
    assert json.loads((tmp_path / "out/settings.json").read_text())["answer_kind"] == "boolean"
    assert result.checks == {"prompts": "12 of 12 are read as the tokens of memreason's own"}


@pytest.mark.parametrize("shape", ["untied", "tied"])
@pytest.mark.parametrize(
    "ablations", [{}, {"prompt_template": "alpaca"}, {"prompt_template": "chat"}, {"add_hard_prompts": True}], ids=str
)
def test_the_text_of_a_prompt_has_the_ids_of_training(bases, data, tmp_path, shape, ablations):
    base = bases[shape]
    if "chat" in ablations.values():
        from transformers import AutoTokenizer

        base = Path(shutil.copytree(bases[shape], tmp_path / "base"))
        tokenizer = AutoTokenizer.from_pretrained(base)
        tokenizer.chat_template = TEMPLATE
        tokenizer.save_pretrained(base)
    folder = checkpoint(base, data, tmp_path / "run", AblationConfig(**ablations))
    exported(folder, tmp_path / "out")
    unit = load(folder)
    questions = {s.question.id: s.question for s in load_data(read_config(folder).data).splits["test"]}
    for _, row in read_jsonl(tmp_path / "out/test.jsonl"):
        question = questions.pop(row["id"])
        ids = unit.tokenizer(row["prompt"], add_special_tokens=False)["input_ids"]
        assert ids == unit.layout.encode_prompt(unit.tokenizer, question)
        assert row["max_new_tokens"] == unit.manifest.model_max_length - len(ids)
        assert row["question"] == question.text and tuple(row["options"]) == question.options
    assert not questions


def test_prompts_that_are_read_otherwise_there_are_counted_and_told(bases, data, tmp_path):
    base = Path(shutil.copytree(bases["tied"], tmp_path / "base"))
    tokenizer = json.loads((base / "tokenizer.json").read_text())
    # This tokenizer reads two newlines as one token, but as two tokens where text follows, like many others.
    vocabulary, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
    vocabulary["ĊĊ"] = vocabulary.pop("".join(merges[-1]))
    merges[-1] = ["Ċ", "Ċ"]
    (base / "tokenizer.json").write_text(json.dumps(tokenizer))
    shown = AblationConfig(use_demonstrations=True)
    result = exported(checkpoint(base, data, tmp_path / "run", shown, k_shot=2, model_max_length=192), tmp_path / "out")
    (row, *_) = (row for _, row in read_jsonl(tmp_path / "out/test.jsonl"))
    assert row["prompt"].count("Question: ") == 3 and row["prompt"].count("The answer is: ") == 2
    assert result.checks["prompts"].startswith("0 of 12 ")
    assert "tokenizes a prompt as a whole" in result.notes[-1]


def test_what_a_merged_model_would_lack_is_refused(bases, data, tmp_path):
    folder = checkpoint(bases["tied"], data, tmp_path / "run")
    replace(read_manifest(folder), sparse_attention="step").write(folder)
    with pytest.raises(UserError, match="use_sparse_attention"):
        exported(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_them(bases, data, tmp_path, capsys):
    folder = checkpoint(bases["tied"], data, tmp_path / "run")
    assert main(["export", str(folder), "--to", "lm-eval", "--output_dir", str(tmp_path / "out")]) == 0
    assert "12 of 12" in capsys.readouterr().out
    assert main(["export", str(folder), "--to", "lm-eval", "--output_dir", str(tmp_path / "out")]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.skipif(not find_spec("lm_eval"), reason="lm-evaluation-harness is not installed (pip install lm-eval)")
@pytest.mark.parametrize("shape", ["untied", "padded"])
def test_lm_eval_finds_the_answers_of_memreason(taught, tmp_path, shape, monkeypatch):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    for split, words in (("train", ""), ("test", "Now: ")):  # the last one leaves no room for an answer
        ends = ("", "", " Really?", " Really?" * 6)
        questions = [(s, f"{words}{s.question.text}{end}") for s, end in zip(SOLUTIONS, ends, strict=True)]
        solutions = [
            Solution(replace(s.question, id=f"{split}-{s.question.id}", text=text, split=split), s.steps)
            for s, text in questions
        ]
        export_jsonl(solutions, tmp_path / f"data/{split}.jsonl")
    folder = checkpoint(taught[shape], tmp_path / "data", tmp_path / "run", model_max_length=34, num_validation=1)
    exported(folder, tmp_path / "out")
    write_merged(folder, tmp_path / "merged")
    prefix = "".join(read_manifest(folder).planning_tokens.prefix)
    monkeypatch.chdir(tmp_path)  # the questions are found from anywhere
    results = simple_evaluate(
        "hf", f"pretrained={tmp_path / 'merged'},dtype=float32", ["memreason_jsonl"], device="cpu", batch_size=3,
        task_manager=TaskManager(include_path=tmp_path / "out", include_defaults=False), bootstrap_iters=0,
    )  # fmt: skip
    samples = results["samples"]["memreason_jsonl_test"]
    _, evaluated, _ = evaluate(EvaluateConfig(str(folder), output_dir=str(tmp_path / "evaluation")), progress=False)
    verdicts = {verdict.trace.question.id: verdict for verdict in evaluated}
    assert len(samples) == 2 * len(verdicts) == 8
    for sample in samples:
        verdict = verdicts[sample["doc"]["id"]]
        if verdict.trace.text:
            assert prefix + sample["resps"][0][0] == verdict.trace.text
        answer, right = (verdict.strict, verdict.outcome)
        if sample["filter"] == "flexible":
            answer, right = verdict.flexible, verdict.flexible_outcome
        assert sample["filtered_resps"] == [answer or "[no answer]"]
        assert (sample["acc"], sample["answered"]) == (right == "correct", answer is not None)
    assert {(v.trace.truncated, bool(v.trace.text)) for v in evaluated} == {(False, True), (True, True), (True, False)}
    assert any(verdict.strict for verdict in verdicts.values())
