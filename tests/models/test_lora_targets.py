"""Which weights get adapters, for every way in which models lay out their layers."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedModel

from memreason.errors import UserError
from memreason.models.lora_targets import adapted, lora_targets

SIZES = dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, bos_token_id=None, eos_token_id=0, pad_token_id=0)  # fmt: skip
EXPERTS = {"mlp.experts.down_proj", "mlp.experts.gate_up_proj"}
LLAMA = {"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}
SHARED = {f"mlp.shared_expert.{name}_proj" for name in ("gate", "up", "down")}
LATENT = dict(kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
              num_key_value_heads=4, moe_intermediate_size=24)  # fmt: skip
MODELS = {
    "llama": {},
    "gpt2": dict(n_embd=32, n_layer=2, n_head=4),
    "opt": dict(ffn_dim=48, word_embed_proj_dim=32),
    "mamba": dict(state_size=4),
    "mamba2": dict(state_size=4, num_heads=8, head_dim=8, n_groups=1),
    "mixtral": dict(num_local_experts=4),
    "olmoe": dict(num_experts=4, num_experts_per_tok=2),
    "gpt_oss": dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8),
    "granitemoe": dict(num_local_experts=4, num_experts_per_tok=2),
    "phimoe": dict(num_local_experts=4, num_experts_per_tok=2),
    "llama4_text": dict(num_local_experts=4, head_dim=8, intermediate_size_mlp=48),
    "qwen2_moe": dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24,
                      shared_expert_intermediate_size=24),
    "qwen3_next": dict(num_experts=4, num_experts_per_tok=2, moe_intermediate_size=24, head_dim=8,
                       shared_expert_intermediate_size=24, linear_num_value_heads=4, linear_num_key_heads=2,
                       linear_key_head_dim=8, linear_value_head_dim=8, layer_types=["linear_attention",
                       "full_attention"]),
    "deepseek_v3": dict(n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1, first_k_dense_replace=1,
                        **LATENT),
}  # fmt: skip


def tiny(kind: str) -> PreTrainedModel:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(CONFIG_MAPPING[kind](**{**SIZES, **MODELS[kind]})).eval()


def kinds_of(model: PreTrainedModel, module: str) -> set[str]:
    """The targets' names, without the numbers of layers and what stands before them."""
    targets = lora_targets(model, module)
    names = [*targets.layers, *targets.weights]
    assert len(names) == len(set(names))
    return {name.rpartition(next(filter(str.isdigit, name)) + ".")[2] for name in names}


@pytest.mark.parametrize(
    ("kind", "expected"),
    {
        "llama": LLAMA,
        "gpt2": {"mlp.c_fc", "mlp.c_proj"},
        "opt": {"fc1", "fc2"},
        "mamba": {"mixer.in_proj"},
        "mamba2": {"mixer.in_proj"},
        "mixtral": EXPERTS,
        "olmoe": EXPERTS,
        "gpt_oss": EXPERTS,
        "granitemoe": {name.replace("mlp", "block_sparse_moe") for name in EXPERTS},
        "phimoe": EXPERTS,
        "llama4_text": {name.replace("mlp", "feed_forward") for name in EXPERTS}
        | {name.replace("mlp", "feed_forward") for name in SHARED},
        "qwen2_moe": EXPERTS | SHARED,
        # PEFT would take these layers for experts, so it is told of their weights.
        "qwen3_next": EXPERTS | {f"{name}.weight" for name in SHARED},
        "deepseek_v3": EXPERTS
        | {f"{name}.weight" for name in LLAMA}
        | {name.replace("expert", "experts") + ".weight" for name in SHARED},
    }.items(),
)
def test_the_default_takes_mlps_and_experts_and_else_what_there_is(kind: str, expected: set[str]) -> None:
    assert kinds_of(tiny(kind), "mlp") == expected


@pytest.mark.parametrize("kind", sorted(set(MODELS) - {"mamba", "mamba2"}))
def test_attention_is_apart_from_the_rest_and_all_is_both(kind: str) -> None:
    model = tiny(kind)
    attention = kinds_of(model, "atten")
    assert attention and all("attn" in name for name in attention)
    assert kinds_of(model, "all") == attention | kinds_of(model, "mlp")


@pytest.mark.parametrize("kind", MODELS)
def test_every_adapter_is_reached_and_starts_as_nothing(kind: str) -> None:
    model = tiny(kind)
    ids = torch.arange(1, 49).view(2, 24)  # enough for every expert to be asked
    before = model(input_ids=ids).logits
    targets = lora_targets(model, "all")
    unit = get_peft_model(model, LoraConfig(target_modules=targets.layers, target_parameters=targets.weights or None))
    assert torch.equal(unit(input_ids=ids).logits, before)
    unit(input_ids=ids).logits.square().sum().backward()
    names = [name for name, _ in unit.named_parameters() if "lora_B" in name]
    assert len(names) == len(targets.layers) + len(targets.weights)
    assert all(p.grad.abs().max() > 0 for name, p in unit.named_parameters() if "lora_B" in name)
    assert sum(int(part.split(" × ")[0]) for part in adapted(unit).split(", ")) == len(names)


def test_a_vision_tower_beside_the_language_model_is_left_alone() -> None:
    vision = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                  patch_size=14)  # fmt: skip
    config = CONFIG_MAPPING["gemma3"](text_config=SIZES | {"head_dim": 8}, vision_config=vision)
    model = AutoModelForCausalLM.from_config(config)
    assert any("vision" in name for name, _ in model.named_modules())
    for module in ("mlp", "atten", "all"):
        assert all("language_model" in name for name in lora_targets(model, module).layers)


def test_what_was_taken_is_said_in_words() -> None:
    model = tiny("qwen2_moe")
    assert adapted(model) == ""
    targets = lora_targets(model, "mlp")
    unit = get_peft_model(model, LoraConfig(target_modules=targets.layers, target_parameters=targets.weights))
    found = adapted(unit)
    assert "2 × mlp.experts.gate_up_proj" in found and "2 × mlp.shared_expert.gate_proj" in found


def test_a_model_without_any_such_layer_is_refused_with_what_it_has() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(3, 4))
    model.get_output_embeddings = lambda: None
    with pytest.raises(UserError, match=r"lora_module mlp: Sequential has no linear layer.*Embedding"):
        lora_targets(model, "mlp")


def test_a_weight_that_layers_share_takes_no_adapters() -> None:
    """When they are merged it would take up those of all of them (Zamba 2 shares attention and MLPs)."""
    layout = ["mamba", "hybrid", "mamba", "hybrid"]
    sizes = SIZES | dict(num_hidden_layers=4, layers_block_type=layout, num_key_value_heads=4, n_mamba_heads=8)
    config = CONFIG_MAPPING["zamba2"](mamba_d_state=8, mamba_ngroups=1, chunk_size=16, adapter_rank=8, **sizes)
    model = AutoModelForCausalLM.from_config(config)
    first, second = (model.model.layers[at].shared_transformer.feed_forward for at in (1, 3))
    assert first.gate_up_proj.weight is second.gate_up_proj.weight
    taken = {id(model.get_submodule(name).weight) for name in lora_targets(model, "all").layers}
    assert taken and id(first.gate_up_proj.weight) not in taken


def test_layers_are_found_where_a_model_calls_its_head_the_decoder() -> None:
    config = CONFIG_MAPPING["modernbert-decoder"](**SIZES | dict(bos_token_id=0, cls_token_id=0, sep_token_id=0))
    assert any(".mlp." in name for name in lora_targets(AutoModelForCausalLM.from_config(config), "mlp").layers)
