"""What is trained, saved, loaded and merged where a model is not laid out as Llama is."""

from pathlib import Path

import pytest
import torch
from helpers.architectures import ARCHITECTURES, make
from helpers.tiny import SOLUTIONS, make_tokenizer
from peft import PeftModel
from torch.nn import functional
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoTokenizer

from memreason.config.model import ModelConfig
from memreason.errors import UserError
from memreason.generation.backends import plain
from memreason.kernels.linear_cross_entropy import LossHead
from memreason.models.adapters import notes
from memreason.models.build import build
from memreason.models.load import load
from memreason.models.token_embeddings import resize
from memreason.models.unit import ModelUnit
from memreason.planning_tokens.layout import IGNORE
from memreason.training.collation import collate
from memreason.training.encoding import encode_solutions

SIZES = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
             max_position_embeddings=512, bos_token_id=None)  # fmt: skip
MIXTURE = dict(n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1, first_k_dense_replace=1,
               kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
               moe_intermediate_size=24)  # fmt: skip
KINDS = ("biased", "biased with spare rows", "experts", "shared experts", "wrapped")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("odd")
    return {kind: make_odd(root / kind.replace(" ", "_"), kind) for kind in KINDS}


def make_odd(folder: Path, kind: str) -> Path:
    """Write a tiny base model of one kind, tokenizer included, and return its folder."""
    tokenizer = make_tokenizer(bos=False)
    sizes = SIZES | dict(vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, pad_token_id=0)
    torch.manual_seed(0)
    if kind == "experts":
        config = CONFIG_MAPPING["mixtral"](num_local_experts=4, **sizes)
    elif kind == "shared experts":
        config = CONFIG_MAPPING["deepseek_v3"](**sizes, **MIXTURE)
    elif kind == "wrapped":
        vision = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                      patch_size=14)  # fmt: skip
        config = CONFIG_MAPPING["gemma3"](text_config=sizes | {"head_dim": 8}, vision_config=vision)
    else:
        config = CONFIG_MAPPING["phi"](**sizes | dict(vocab_size=len(tokenizer) + 37 * kind.endswith("spare rows")))
    model = AutoModelForCausalLM.from_config(config)
    if kind.startswith("biased"):
        torch.nn.init.normal_(model.lm_head.bias)
        model.lm_head.bias.data[len(tokenizer) :] = -5  # as training leaves it for rows that never occur
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


def config(base: Path, mode: str = "lora+prompt-tuning", **options) -> ModelConfig:
    return ModelConfig(str(base), parameter_efficient_mode=mode, **{"dtype": "float32", "lora_dropout": 0.0} | options)


def solutions(unit: ModelUnit) -> dict[str, torch.Tensor]:
    return collate(encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, 256)[0], unit.tokenizer.pad_token_id)


def trained(base: Path, mode: str = "lora+prompt-tuning", **options) -> ModelUnit:
    """A unit after a few real optimizer steps on the four solutions."""
    unit = build(config(base, mode, **options), 256)
    batch = solutions(unit)
    optimizer = torch.optim.AdamW([p for p in unit.model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(3):
        unit.model(**batch, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    unit.model.eval()
    return unit


@torch.no_grad()
def logits(model: torch.nn.Module, unit: ModelUnit) -> torch.Tensor:
    batch = solutions(unit)
    found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits.float()
    return found * batch["attention_mask"][..., None]


@pytest.mark.parametrize("mode", ["lora+prompt-tuning", "prompt-tuning", "none"])
def test_every_way_back_gives_the_same_logits(odd: dict[str, Path], kind: str, mode: str, tmp_path: Path) -> None:
    unit = trained(odd[kind], mode)
    expected = logits(unit.model, unit)
    unit.save(tmp_path / "checkpoint")
    ours = load(tmp_path / "checkpoint")
    torch.testing.assert_close(logits(ours.model, ours), expected, atol=1e-4, rtol=0)
    with ours.merged() as model:
        torch.testing.assert_close(logits(model, ours), expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(logits(plain(model), ours), expected, atol=1e-4, rtol=0)
    fresh = build(config(odd[kind], mode), 256, seed=1)
    fresh.load_weights(tmp_path / "checkpoint")
    torch.testing.assert_close(logits(fresh.model.eval(), fresh), expected, atol=1e-4, rtol=0)
    merged = ours.merge()
    torch.testing.assert_close(logits(merged, unit), expected, atol=1e-4, rtol=0)
    merged.save_pretrained(tmp_path / "merged")
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    torch.testing.assert_close(logits(reloaded, unit), expected, atol=1e-4, rtol=0)


def test_peft_alone_gives_the_same_once_it_has_merged(odd: dict[str, Path], kind: str, tmp_path: Path) -> None:
    unit = trained(odd[kind])
    expected = logits(unit.model, unit)
    unit.save(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(odd[kind])
    if unit.manifest.rows > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(unit.manifest.rows)
    loaded = PeftModel.from_pretrained(model, tmp_path).eval()
    as_loaded = (logits(loaded, unit) - expected).abs().max()
    if kind.startswith("biased"):
        assert as_loaded > 0.1
        assert any("merge_and_unload" in note for note in notes(unit.model))
    else:
        assert as_loaded < 1e-4
        assert not any("merge_and_unload" in note for note in notes(unit.model))
    torch.testing.assert_close(logits(loaded.merge_and_unload(), unit), expected, atol=1e-4, rtol=0)


def test_exactly_adapters_and_new_rows_move(odd: dict[str, Path], kind: str) -> None:
    unit = build(config(odd[kind]), 256)
    before = {name: p.detach().clone() for name, p in unit.model.named_parameters()}
    moved = {n for n, p in trained(odd[kind]).model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {name for name in before if "lora_" in name or "trainable_tokens" in name}
    assert not any("vision" in name for name in moved)


def test_where_every_weight_is_trained_a_vision_tower_is_frozen(odd: dict[str, Path]) -> None:
    unit = build(config(odd["wrapped"], "none"), 256)
    before = {name: p.detach().clone() for name, p in unit.model.named_parameters()}
    found = dict(trained(odd["wrapped"], "none").model.named_parameters())
    moved = {name for name, p in found.items() if not torch.equal(p, before[name])}
    assert moved == {name for name, p in found.items() if p.requires_grad}
    assert moved == {name for name in before if "language_model" in name or "lm_head" in name}


def test_folding_adapters_in_for_a_while_leaves_every_bit_as_it_was(odd: dict[str, Path], kind: str) -> None:
    unit = trained(odd[kind], dtype="bfloat16")
    state = {name: tensor.clone() for name, tensor in unit.model.state_dict().items()}
    with unit.merged():
        during = {name for name, tensor in unit.model.state_dict().items() if not torch.equal(tensor, state[name])}
    assert any("experts" in name for name in during) == ("experts" in kind)
    for name, tensor in unit.model.state_dict().items():
        assert torch.equal(tensor, state[name]), name


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "biased" in kind])
def test_new_rows_are_trained_with_the_heads_bias(odd: dict[str, Path], kind: str) -> None:
    """Against logits written out: hidden states times the rows, and the bias of every column."""
    unit = trained(odd[kind])
    batch = solutions(unit)
    labels = batch.pop("labels")[:, 1:]
    parameters = [p for p in unit.model.parameters() if p.requires_grad]
    hidden = unit.model.get_base_model().model(**batch).last_hidden_state[:, :-1]
    head = unit.model.get_base_model().lm_head.token_adapter
    expected = functional.linear(hidden, head.get_merged_weights(["default"]), head.base_layer.bias)
    found = unit.model(**batch).logits[:, :-1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    loss = functional.cross_entropy(expected.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="sum")
    wanted = torch.autograd.grad(loss, parameters)
    with LossHead(unit.model.get_base_model()).against(functional.pad(labels, (0, 1), value=IGNORE)):
        in_head = unit.model(**batch).logits
    torch.testing.assert_close(in_head, loss)
    for one, other in zip(torch.autograd.grad(in_head, parameters), wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_the_bias_of_rows_that_are_added_is_what_transformers_gives_them(odd: dict[str, Path]) -> None:
    ours, usual = (AutoModelForCausalLM.from_pretrained(odd["biased"]) for _ in range(2))
    rows = len(AutoTokenizer.from_pretrained(odd["biased"])) + 9
    assert resize(ours, rows) == rows
    usual.resize_token_embeddings(rows)
    torch.testing.assert_close(ours.lm_head.bias, usual.lm_head.bias)


def test_evaluation_leaves_weights_alone_where_a_model_would_rescale_them(tmp_path: Path) -> None:
    tokenizer = make_tokenizer(bos=False)
    sizes = dict(hidden_size=32, attention_hidden_size=32, num_hidden_layers=3, context_length=512, rescale_every=1)
    base = CONFIG_MAPPING["rwkv"](vocab_size=len(tokenizer), eos_token_id=tokenizer.eos_token_id, **sizes)
    AutoModelForCausalLM.from_config(base).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    unit = trained(tmp_path)
    expected = logits(unit.model.train(), unit)
    with unit.merged() as model:
        torch.testing.assert_close(logits(model, unit), expected, atol=1e-4, rtol=0)
    assert torch.equal(logits(unit.model, unit), expected)


def test_dropout_stays_before_adapters_of_layers_in_a_mixture(odd: dict[str, Path]) -> None:
    unit = build(config(odd["experts"], lora_module="all", lora_dropout=0.1), 256)
    rates = {m.p for m in unit.model.modules() if isinstance(m, torch.nn.Dropout) and m.p}
    assert rates == {0.1}
    assert any("no dropout" in note for note in notes(unit.model))
    assert not any("no dropout" in note for note in notes(build(config(odd["biased"]), 256).model))


def test_new_tokens_have_rows_also_where_they_feed_every_layer(tmp_path: Path) -> None:
    """Gemma 4's layers look tokens up in a matrix of their own, which grows with the embeddings."""
    base = make(next(one for one in ARCHITECTURES if one.name == "gemma4_text"), tmp_path / "base")
    unit = build(ModelConfig(str(base), dtype="float32"), 64)
    unit.save(tmp_path / "run")
    ids = torch.tensor([unit.layout.encode(unit.tokenizer, SOLUTIONS[0]).ids])
    with torch.no_grad():
        expected = unit.model.eval()(input_ids=ids).logits
        torch.testing.assert_close(load(tmp_path / "run").model(input_ids=ids).logits, expected)


def test_adapters_that_peft_would_not_find_again_are_refused_before_training(tmp_path: Path) -> None:
    """It renames what it loads by transformers' rules, one of which takes Laguna's shared experts for others."""
    base = make(next(one for one in ARCHITECTURES if one.name == "laguna"), tmp_path / "base")
    with pytest.raises(UserError, match=r"PEFT would not load the adapters of LagunaForCausalLM again .*shared_expert"):
        build(ModelConfig(str(base), dtype="float32"), 64)
