"""Many architectures: each trains and answers as with transformers and PEFT alone, by the path that the docs name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import pytest
import torch
from helpers.architectures import (
    ARCHITECTURES,
    LIMIT,
    QUESTIONS,
    ROOM,
    SOLUTIONS,
    Architecture,
    Trained,
    answers,
    gradients_of,
    make,
    tensors,
    train_a_little,
)
from peft import PeftModel
from peft.tuners.trainable_tokens.layer import TrainableTokensLayer
from torch.nn import functional
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from memreason.cli.main import main
from memreason.errors import UserError
from memreason.models.load import load
from memreason.models.token_embeddings import layers_with_rows
from memreason.models.unit import ModelUnit
from memreason.records import Question, Trace
from memreason.tasks.jsonl import export_jsonl

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs" / "architectures.md"
CLOSE = 1e-4


class Tried:
    """An architecture, and its tiny model trained a little in the default mode: or the reason why it cannot be."""

    def __init__(self, architecture: Architecture, folder: Path):
        self.architecture, self.folder = architecture, folder
        self.base = make(architecture, folder / "base")
        self.refusal = ""
        try:
            self._trained: Trained | None = train_a_little(self.base, "lora+prompt-tuning", 2, architecture.lora_module)
            self._trained.unit.save(folder / "run")
        except UserError as error:
            self._trained, self.refusal = None, str(error)

    def trained(self, check: str) -> Trained:
        """For a ``check`` of it; skips the test where there can be none."""
        if reason := self.architecture.except_for.get(check):
            pytest.skip(reason)
        if self._trained is None:
            pytest.skip(f"refused: {self.refusal}")
        return self._trained

    @cached_property
    def answers(self) -> tuple[list[Trace], str]:
        """What it writes, and by which path."""
        assert self._trained is not None
        return answers(self._trained.unit)


@pytest.fixture(scope="module", params=ARCHITECTURES, ids=lambda one: one.name)
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    torch.set_num_threads(1)  # tiny matrices only wait for each other on more
    yield Tried(request.param, tmp_path_factory.mktemp(request.param.name))


def test_gradients_are_those_of_padded_batches_through_plain_peft(tried: Tried) -> None:
    trained = tried.trained("gradients")
    reference = plain(tried.base, tried.folder / "run", trained.unit)
    same(trained.gradients(), gradients_of_padded_batch(reference, trained))


def test_gradients_of_every_weight_are_those_of_padded_batches(tried: Tried) -> None:
    tried.trained("gradients")
    trained = train_a_little(tried.base, "none", 0)
    trained.unit.save(tried.folder / "whole")
    reference = eager(AutoModelForCausalLM.from_pretrained(tried.folder / "whole", dtype=torch.float32))
    same(trained.gradients(), gradients_of_padded_batch(reference, trained))


def test_training_moves_adapters_and_new_rows_and_nothing_else(tried: Tried) -> None:
    trained = tried.trained("moved")
    expected = {name for name in tensors(trained.unit.model) if ".lora_" in name or "trainable_tokens_delta" in name}
    assert trained.moved == expected
    with_rows = layers_with_rows(AutoModelForCausalLM.from_pretrained(tried.base))
    assert sum("trainable_tokens_delta" in name for name in expected) == len(with_rows)
    assert any(".lora_" in name for name in expected)


def test_answers_are_those_of_generate_one_at_a_time(tried: Tried) -> None:
    trained = tried.trained("answers")
    traces, path = tried.answers
    reference = plain(tried.base, tried.folder / "run", trained.unit)
    expected = [alone(reference, trained.unit, question, "cache" not in path) for question in QUESTIONS]
    assert [trace.text for trace in traces] == expected
    assert len(set(expected)) > 1  # the model tells texts apart


def test_it_is_the_same_model_loaded_merged_and_merged_and_saved(tried: Tried) -> None:
    trained = tried.trained("loading")
    expected = logits(trained.unit.model, trained)
    again = load(tried.folder / "run", dtype="float32")
    close(logits(again.model, trained), expected)
    close(logits(plain(tried.base, tried.folder / "run", trained.unit), trained), expected)
    with again.merged() as model:
        close(logits(model, trained), expected)
    merged = again.merge().eval()
    close(logits(merged, trained), expected)
    merged.save_pretrained(tried.folder / "merged")
    close(logits(AutoModelForCausalLM.from_pretrained(tried.folder / "merged", dtype=torch.float32), trained), expected)


def test_the_docs_name_its_path(tried: Tried) -> None:
    if tried.refusal:
        row = tried.architecture.row("refused", "")
    else:
        trained = tried.trained("docs")
        row = tried.architecture.row(trained.training, tried.answers[1])
    assert row in DOCS.read_text().splitlines(), "python docs/architectures_table.py writes the table anew"


THROUGH_THE_COMMAND_LINE = ("llama_tied", "phi", "mixtral", "gemma3", "falcon", "mamba", "qwen3_5_text", "gemma2")


@pytest.mark.parametrize("name", THROUGH_THE_COMMAND_LINE)
def test_the_command_line_trains_and_asks_it(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    architecture = next(one for one in ARCHITECTURES if one.name == name)
    base = make(architecture, tmp_path / "base")
    export_jsonl(SOLUTIONS, tmp_path / "data" / "train.jsonl")
    export_jsonl(SOLUTIONS[:1], tmp_path / "data" / "test.jsonl")
    code = main([
        "train", "--model_name_or_path", str(base), "--dataset", "jsonl", "--data_path", str(tmp_path / "data"),
        "--output_dir", str(tmp_path / "run"), "--num_train_epochs", "1", "--model_max_length", str(LIMIT),
        "--dtype", "float32", "--eval_strategy", "no", "--save_strategy", "no", "--disable_tqdm", "True",
    ])  # fmt: skip
    assert code == 0, capsys.readouterr().err
    capsys.readouterr()
    assert main(["ask", "Is Paris?", "--model_name_or_path", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] is not None


# ---- what is compared with: transformers and PEFT alone ------------------------------------------


def plain(base: Path, run: Path, unit: ModelUnit) -> PeftModel:
    """What was saved, as PEFT loads it."""
    model = eager(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32))
    if len(unit.tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(unit.tokenizer))
    loaded = PeftModel.from_pretrained(model, run, is_trainable=True).eval()
    for layer in loaded.modules():
        if isinstance(layer, TrainableTokensLayer) and getattr(layer.base_layer, "bias", None) is not None:
            layer.register_forward_hook(lambda layer, inputs, out: out + layer.base_layer.bias)  # PEFT leaves it out
    return loaded


def eager(model: PreTrainedModel) -> PreTrainedModel:
    """With the plainest attention, where the model lets one choose."""
    with suppress(ValueError):
        model.set_attn_implementation("eager")
    return model.eval()


def padded(trained: Trained) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, mask and labels of all examples, padded on the right."""
    width = max(len(one["input_ids"]) for one in trained.examples)
    pad = trained.unit.tokenizer.pad_token_id
    ids, mask, labels = [], [], []
    for one in trained.examples:
        gap = width - len(one["input_ids"])
        ids.append([*one["input_ids"], *[pad] * gap])
        mask.append([1] * (width - gap) + [0] * gap)
        labels.append([*one["labels"], *[-100] * gap])
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def gradients_of_padded_batch(model: torch.nn.Module, trained: Trained) -> dict[str, torch.Tensor]:
    ids, mask, labels = padded(trained)
    model.zero_grad()
    out = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    functional.cross_entropy(out[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum").backward()
    return gradients_of(model)


@torch.no_grad()
def logits(model: torch.nn.Module, trained: Trained) -> torch.Tensor:
    ids, mask, _ = padded(trained)
    return model(input_ids=ids, attention_mask=mask, use_cache=False).logits * mask[..., None]


@torch.no_grad()
def alone(model: PeftModel, unit: ModelUnit, question: Question, use_cache: bool) -> str:
    """What `generate` writes after one prompt; a model whose cache changes what it writes is right without."""
    model.generation_config = GenerationConfig()
    ids = unit.layout.encode_prompt(unit.tokenizer, question)
    out = model.generate(
        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
        use_cache=use_cache,        max_new_tokens=ROOM - len(ids), eos_token_id=unit.end_id,
        pad_token_id=unit.tokenizer.pad_token_id,
    )[0, len(ids) :].tolist()  # fmt: skip
    out = out[: out.index(unit.end_id)] if unit.end_id in out else out
    text = "".join(unit.layout.prefix) + unit.tokenizer.decode(out, skip_special_tokens=False)
    return unit.layout.parse(question, text, truncated=True).text


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Whether gradients agree, each against its own largest; a weight that has none may have zeros instead."""
    zero = torch.zeros(())
    least = 1e-3 * max(float(one.abs().max()) for one in expected.values())  # some are zero but for rounding
    for name in found.keys() | expected.keys():
        one, other = found.get(name, zero), expected.get(name, zero)
        off, most = float((one - other).abs().max()), float(other.abs().max())
        assert off <= CLOSE * max(most, least), name


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    off, most = float((found - expected).abs().max()), float(expected.abs().max())
    assert off <= CLOSE * most
