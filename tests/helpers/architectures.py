"""Tiny models of many architectures, with weights that matter: one line each."""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from helpers import tiny
from helpers.tiny import make_tokenizer
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, PreTrainedConfig, PreTrainedTokenizerFast

from memreason.config.model import ModelConfig
from memreason.generation.answer import generate
from memreason.generation.options import GenerationOptions
from memreason.models.build import build
from memreason.models.unit import ModelUnit
from memreason.records import Question, Trace
from memreason.training.dataset import Example
from memreason.training.encoding import encode_solutions
from memreason.training.loss import TrainingPass

LIMIT = 96
"""Tokens of the longest text, prompt and solution together."""
SOLUTIONS = [replace(one, steps=one.steps * times) for one, times in zip(tiny.SOLUTIONS, (1, 2, 1, 2), strict=True)]
"""What is trained on: longer texts and shorter ones."""
ROOM = 48
"""Tokens of the longest question and its answer."""
QUESTIONS = [
    Question(f"asked-{i}", text, "True")
    for i, text in enumerate(
        ["Hi?", "Is Paris the capital of France?", "Is Lyon the capital of France?", "Rome?",
         "Is Lyon, or is Rome, the capital of France or of Italy?"]
    )
]  # fmt: skip
"""Shorter and longer than the windows; two are of one length."""

WIDTH, LAYERS, HEADS, HEAD = 32, 2, 4, 8
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "embedding_dim", "word_embed_proj_dim", "lru_width"), WIDTH),
    **dict.fromkeys(("attention_hidden_size", "hidden_size_per_layer_input"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), HEADS),
    **dict.fromkeys(("head_dim", "global_head_dim", "attention_head_dim", "query_pre_attn_scalar"), HEAD),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "dff", "ffn_hidden_size", "block_ff_dim"), 48),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 24),
    **dict.fromkeys(("moe_shared_expert_intermediate_size", "shared_intermediate_size", "intermediate_size_mlp"), 24),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k"), 2),
    **dict.fromkeys(("n_shared_experts", "n_group", "topk_group", "moe_num_shared_experts"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"), 256),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("state_size", "mamba_d_state", "ssm_state_size", "linear_key_head_dim"), 8),
    **dict.fromkeys(("linear_value_head_dim", "mamba_d_head", "mamba_head_dim"), 8),
    **dict.fromkeys(("linear_num_value_heads", "mamba_n_heads", "mamba_num_heads", "n_mamba_heads"), 8),
    **dict.fromkeys(("mamba_n_groups", "n_groups", "mamba_ngroups"), 1),
    **dict.fromkeys(("chunk_size", "mamba_chunk_size", "block_size"), 16),
    "num_key_value_heads": 2, "linear_num_key_heads": 4, "qk_rope_head_dim": 4, "rotary_dim": 4, "expand": 2,
    "first_k_dense_replace": 1,
}  # fmt: skip
"""What makes a model tiny, by the names that configurations have for it; each takes those that it knows."""


SPARE = 4
"""Rows beyond the tokenizer's tokens: AutoTokenizer adds one of its own for some families."""


@dataclass(frozen=True)
class Architecture:
    """A tiny model: ``options`` of its configuration, beside those of `SIZES`. ``family`` and ``hub`` say what is
    like it, ``special`` what is unlike a Llama, ``text`` holds the options of a wrapped language model.
    Its adapters go to ``lora_module``.
    ``except_for`` maps a check that is not made to the reason."""

    name: str
    family: str
    hub: str = ""
    special: str = ""
    model_type: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    text: dict[str, Any] | None = None
    lora_module: str = "mlp"
    except_for: dict[str, str] = field(default_factory=dict)

    def config(self, tokenizer: PreTrainedTokenizerFast) -> PreTrainedConfig:
        """Its configuration, for the tokenizer's vocabulary."""
        cls = CONFIG_MAPPING[self.model_type or self.name]
        tokens = dict(
            vocab_size=len(tokenizer) + SPARE, bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )  # fmt: skip
        text_class = cls if self.text is None else cls.sub_configs["text_config"]
        if "vocab_size_per_layer_input" in inspect.signature(text_class.__init__).parameters:
            tokens["vocab_size_per_layer_input"] = tokens["vocab_size"]
        if self.text is not None:
            text = {**sizes(text_class), **tokens, **self.text}
            return cls(text_config=text, **self.options)
        return cls(**{**sizes(cls), **tokens, **self.options})

    def row(self, training: str, decoding: str) -> str:
        """Its line of the table in the docs."""
        hub = f"`{self.hub}`" if self.hub else ""
        return f"| {self.family} | {hub} | {training} | {decoding} | {self.special} |"


def sizes(cls: type) -> dict[str, Any]:
    known = set(inspect.signature(cls.__init__).parameters)
    return {name: size for name, size in SIZES.items() if name in known}


def A(name: str, family: str, hub: str = "", special: str = "", **options: Any) -> Architecture:
    """One line of `ARCHITECTURES`; what is no field of an `Architecture` is an option of its configuration."""
    ours = {key: options.pop(key) for key in ("model_type", "text", "lora_module", "except_for") if key in options}
    return Architecture(name, family, hub, special, options=options, **ours)


SHORT = dict(sliding_window=16)
MLA = dict(num_key_value_heads=4)
LINEAR = dict(num_hidden_layers=4, linear_num_value_heads=8)
ROPE = dict(rope_theta=10000.0)
VISION = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, patch_size=14)
SLIDING, FULL = "sliding_attention", "full_attention"

ARCHITECTURES = [
    # transformers that attend through the attention interface
    A("llama", "Llama", "meta-llama/Llama-2-7b-hf"),
    A("llama_tied", "Llama, tied", "HuggingFaceTB/SmolLM2-135M", model_type="llama", tie_word_embeddings=True),
    A("llama3", "Llama 3", "meta-llama/Llama-3.1-8B", "scaled rotations", model_type="llama",
      rope_parameters=dict(ROPE, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                           original_max_position_embeddings=32)),
    A("llama_dynamic", "Llama, dynamic rope", "", "rotations that depend on the longest position of a batch",
      model_type="llama", max_position_embeddings=40, rope_parameters=dict(ROPE, rope_type="dynamic", factor=4.0)),
    A("llama_linear", "Llama, linear rope", "lmsys/vicuna-7b-v1.5-16k", "scaled rotations", model_type="llama",
      rope_parameters=dict(ROPE, rope_type="linear", factor=4.0)),
    A("qwen2", "Qwen2, Qwen2.5", "Qwen/Qwen2.5-7B", "biases in attention"),
    A("qwen2_yarn", "Qwen2.5, YaRN", "Qwen/Qwen2.5-7B-Instruct-1M", "scaled rotations", model_type="qwen2",
      rope_parameters=dict(ROPE, rope_type="yarn", factor=4.0, original_max_position_embeddings=32)),
    A("qwen3", "Qwen3", "Qwen/Qwen3-8B", "norms of queries and keys"),
    A("mistral", "Mistral", "mistralai/Mistral-7B-v0.3"),
    A("ministral", "Ministral", "mistralai/Ministral-8B-Instruct-2410"),
    A("ministral3", "Ministral 3", "mistralai/Ministral-3-8B-Base-2512"),
    A("gemma", "Gemma", "google/gemma-2b", "scaled embeddings"),
    A("phi", "Phi 1, Phi 2", "microsoft/phi-2", "a bias in the output head"),
    A("phi3", "Phi 3, Phi 4", "microsoft/Phi-4-mini-instruct"),
    A("phi3_longrope", "Phi 3, long", "microsoft/Phi-3-mini-128k-instruct", "rotations that depend on a text's length",
      model_type="phi3", max_position_embeddings=256, original_max_position_embeddings=64,
      rope_parameters=dict(ROPE, rope_type="longrope", original_max_position_embeddings=64,
                           long_factor=[1.0, 2.0, 3.0, 4.0], short_factor=[1.0] * 4)),
    A("gpt2", "GPT-2", "openai-community/gpt2", "learned positions"),
    A("gpt_bigcode", "StarCoder", "bigcode/starcoderbase-1b", "learned positions, one key-value head"),
    A("gpt_neox", "GPT-NeoX, Pythia", "EleutherAI/pythia-160m"),
    A("opt", "OPT", "facebook/opt-125m", "learned positions"),
    A("biogpt", "BioGPT", "microsoft/biogpt", "learned positions"),
    A("xglm", "XGLM", "facebook/xglm-564M", "fixed positions"),
    A("openai-gpt", "GPT", "openai-community/openai-gpt", "no cache of keys and values"),
    A("stablelm", "StableLM", "stabilityai/stablelm-2-1_6b"),
    A("olmo", "OLMo", "allenai/OLMo-1B-hf"),
    A("olmo2", "OLMo 2", "allenai/OLMo-2-0425-1B"),
    A("granite", "Granite", "ibm-granite/granite-3.3-2b-base", "scaled logits", logits_scaling=8.0,
      embedding_multiplier=12.0, attention_multiplier=0.3, residual_multiplier=0.22),
    A("cohere", "Command R", "CohereLabs/c4ai-command-r-v01", "scaled logits"),
    A("glm", "GLM-4", "zai-org/glm-4-9b-hf"),
    A("glm4", "GLM-4-0414", "zai-org/GLM-4-9B-0414"),
    A("smollm3", "SmolLM3", "HuggingFaceTB/SmolLM3-3B", "layers without positions", num_hidden_layers=4),
    A("starcoder2", "StarCoder 2", "bigcode/starcoder2-3b", sliding_window=None),
    A("nemotron", "Nemotron, Minitron", "nvidia/Minitron-4B-Base"),
    A("ernie4_5", "ERNIE 4.5", "baidu/ERNIE-4.5-0.3B-PT"),
    A("hunyuan_v1_dense", "Hunyuan", "tencent/Hunyuan-0.5B-Pretrain"),
    A("seed_oss", "Seed-OSS", "ByteDance-Seed/Seed-OSS-36B-Base"),
    A("apertus", "Apertus", "swiss-ai/Apertus-8B-2509", "a trained activation"),
    A("arcee", "Arcee", "arcee-ai/AFM-4.5B-Base"),
    A("helium", "Helium", "kyutai/helium-1-2b"),
    A("bitnet", "BitNet", "microsoft/bitnet-b1.58-2B-4T-bf16"),
    A("nanochat", "nanochat", "karpathy/nanochat-d32", "soft caps on logits"),
    A("persimmon", "Persimmon", "adept/persimmon-8b-base"),
    A("doge", "Doge", "SmallDoge/Doge-20M", "a mask that is computed from the values"),
    A("jais2", "Jais 2", "inceptionai/Jais-2-8B-Chat"),
    A("hyperclovax", "HyperCLOVA X", "naver-hyperclovax/HyperCLOVAX-SEED-Think-14B"),
    # windows, shorter than the texts
    A("mistral_window", "Mistral 0.1", "mistralai/Mistral-7B-v0.1", "a window", model_type="mistral", **SHORT),
    A("qwen2_window", "Qwen2 with windows", "", "windows in some layers", model_type="qwen2", use_sliding_window=True,
      max_window_layers=1, **SHORT),
    A("gemma2", "Gemma 2", "google/gemma-2-2b", "windows in some layers; soft caps", **SHORT),
    A("gemma3_text", "Gemma 3, text", "google/gemma-3-1b-pt", "windows in some layers",
      layer_types=[SLIDING, FULL], **SHORT),
    A("gemma3_text_wide", "Gemma 3, text, within its window", "google/gemma-3-1b-pt", "windows in some layers",
      model_type="gemma3_text", layer_types=[SLIDING, FULL], sliding_window=512),
    A("vaultgemma", "VaultGemma", "google/vaultgemma-1b", "windows in some layers; soft caps", **SHORT),
    A("phi3_window", "Phi 3, window", "microsoft/Phi-3-mini-4k-instruct", "a window", model_type="phi3", **SHORT),
    A("cohere2", "Command R7B", "CohereLabs/c4ai-command-r7b-12-2024", "windows in some layers; scaled logits",
      num_hidden_layers=4, **SHORT),
    A("olmo3", "OLMo 3", "allenai/Olmo-3-1025-7B", "windows in some layers", num_hidden_layers=4, **SHORT),
    A("exaone4", "EXAONE 4", "LGAI-EXAONE/EXAONE-4.0-1.2B", "windows in some layers", num_hidden_layers=4,
      sliding_window_pattern=4, **SHORT),
    A("starcoder2_window", "StarCoder 2, window", "bigcode/starcoder2-7b", "a window", model_type="starcoder2",
      **SHORT),
    A("gpt_neo", "GPT-Neo", "EleutherAI/gpt-neo-125m", "windows in some layers; learned positions",
      attention_types=[[["global", "local"], 1]], window_size=16),
    A("modernbert-decoder", "ModernBERT decoder, Ettin", "jhu-clsp/ettin-decoder-150m", "windows in some layers",
      local_attention=16, num_hidden_layers=3, cls_token_id=0, sep_token_id=0),
    A("granite_swa", "Granite with windows", "ibm-granite/granite-swash-2b", "windows; attention sinks", **SHORT),
    # layers that share keys and values, or have more than one stream
    A("gemma3n_text", "Gemma 3n, text", "google/gemma-3n-E2B", "layers share keys and values", num_hidden_layers=5,
      layer_types=[SLIDING, FULL, SLIDING, FULL, FULL], num_kv_shared_layers=2,
      laurel_rank=8, altup_num_inputs=2, intermediate_size=[48] * 5, activation_sparsity_pattern=[0.0] * 5),
    A("gemma4_text", "Gemma 4, text", "google/gemma-4-e2b-it", "layers share keys and values", num_hidden_layers=5,
      layer_types=[SLIDING, FULL, SLIDING, FULL, FULL], num_kv_shared_layers=2),
    # mixtures of experts
    A("mixtral", "Mixtral", "mistralai/Mixtral-8x7B-v0.1", "experts"),
    A("olmoe", "OLMoE", "allenai/OLMoE-1B-7B-0924", "experts"),
    A("flex_olmo", "FlexOlmo", "allenai/FlexOlmo-7x7B-1T", "experts"),
    A("qwen2_moe", "Qwen1.5-MoE, Qwen2-MoE", "Qwen/Qwen1.5-MoE-A2.7B", "experts, one of them shared"),
    A("qwen3_moe", "Qwen3-MoE", "Qwen/Qwen3-30B-A3B", "experts"),
    A("granitemoe", "Granite MoE", "ibm-granite/granite-3.1-1b-a400m-base", "experts; scaled logits"),
    A("granitemoeshared", "Granite MoE, shared", "", "experts, one of them shared; scaled logits"),
    A("gpt_oss", "GPT-OSS", "openai/gpt-oss-20b", "experts; attention sinks; windows in some layers", **SHORT),
    A("deepseek_v2", "DeepSeek V2", "deepseek-ai/DeepSeek-V2-Lite", "experts, some shared; latent attention",
      q_lora_rank=None, **MLA),
    A("deepseek_v3", "DeepSeek V3, R1", "deepseek-ai/DeepSeek-V3", "experts, some shared; latent attention", **MLA),
    A("phimoe", "Phi-3.5-MoE", "microsoft/Phi-3.5-MoE-instruct", "experts; a window; a bias in the output head",
      lm_head_bias=True, **SHORT),
    A("llama4_text", "Llama 4, text", "meta-llama/Llama-4-Scout-17B-16E", "experts; chunked attention",
      num_hidden_layers=4, attention_chunk_size=16, intermediate_size_mlp=48),
    A("longcat_flash", "LongCat-Flash", "meituan-longcat/LongCat-Flash-Chat",
      "experts; latent attention, twice in a layer", zero_expert_num=2, head_dim=4, **MLA),
    A("jetmoe", "JetMoE", "jetmoe/jetmoe-8b", "experts, in attention too"),
    A("dbrx", "DBRX", "databricks/dbrx-base", "experts that take no adapters: needs `--lora_module atten`",
      lora_module="atten",
      attn_config=dict(kv_n_heads=2, clip_qkv=8.0, rope_theta=10000.0),
      ffn_config=dict(ffn_hidden_size=48, moe_num_experts=4, moe_top_k=2, hidden_size=WIDTH)),
    A("ernie4_5_moe", "ERNIE 4.5 MoE", "baidu/ERNIE-4.5-21B-A3B-PT", "experts, some shared"),
    A("glm4_moe", "GLM-4.5", "zai-org/GLM-4.5-Air", "experts, some shared"),
    A("dots1", "dots.llm1", "rednote-hilab/dots.llm1.base", "experts, some shared"),
    A("minimax_m2", "MiniMax M2", "MiniMaxAI/MiniMax-M2", "experts"),
    A("hunyuan_v1_moe", "Hunyuan A13B", "tencent/Hunyuan-A13B-Instruct", "experts, some shared"),
    A("afmoe", "Trinity", "arcee-ai/Trinity-Nano-Base", "experts, some shared; windows in some layers",
      num_hidden_layers=4, **SHORT),
    A("laguna", "Laguna", "poolside/laguna-XS.2",
      "experts, some shared, whose adapters PEFT would lose: needs `--lora_module atten`", lora_module="atten"),
    # attention of their own, which the attention interface does not reach
    A("bloom", "BLOOM", "bigscience/bloom-560m", "attention of its own, with ALiBi"),
    A("falcon", "Falcon", "tiiuae/falcon-7b", "attention of its own"),
    A("falcon_alibi", "Falcon RW", "tiiuae/falcon-rw-1b", "attention of its own, with ALiBi", model_type="falcon",
      alibi=True, multi_query=False, new_decoder_architecture=False),
    A("mpt", "MPT", "mosaicml/mpt-7b", "attention of its own, with ALiBi"),
    A("gptj", "GPT-J", "EleutherAI/gpt-j-6b", "attention of its own; a bias in the output head"),
    A("codegen", "CodeGen", "Salesforce/codegen-350M-mono", "attention of its own; a bias in the output head"),
    A("gpt_neox_japanese", "GPT-NeoX Japanese", "abeja/gpt-neox-japanese-2.7b", "attention of its own"),
    A("ctrl", "CTRL", "Salesforce/ctrl", "fixed positions; a bias in the output head"),
    # state spaces, linear attention, convolutions, recurrence
    A("mamba", "Mamba", "state-spaces/mamba-130m-hf", "state spaces"),
    A("mamba2", "Mamba 2", "mistralai/Mamba-Codestral-7B-v0.1", "state spaces", num_heads=8),
    A("falcon_mamba", "Falcon Mamba", "tiiuae/falcon-mamba-7b", "state spaces"),
    A("bamba", "Bamba", "ibm-ai-platform/Bamba-9B-v2", "state spaces in some layers", attn_layer_indices=[1]),
    A("jamba", "Jamba", "ai21labs/AI21-Jamba-Mini-1.7", "state spaces in some layers; experts", attn_layer_period=2,
      attn_layer_offset=1),
    A("zamba2", "Zamba 2", "Zyphra/Zamba2-1.2B", "state spaces; attention shared by layers", num_hidden_layers=4,
      except_for=dict(moved="its layers hold low-rank weights of other layers too, which they do not use"),
      layers_block_type=["mamba", "hybrid", "mamba", "hybrid"], adapter_rank=8),
    A("falcon_h1", "Falcon-H1", "tiiuae/Falcon-H1-0.5B-Base", "state spaces and attention in each layer",
      mamba_d_ssm=64),
    A("nemotron_h", "Nemotron-H", "nvidia/Nemotron-H-8B-Base-8K", "state spaces in some layers",
      layers_block_type=["mamba", "mlp", "attention", "mlp"]),
    A("granitemoehybrid", "Granite 4", "ibm-granite/granite-4.0-h-tiny", "state spaces in some layers; experts",
      layer_types=["mamba", "attention"]),
    A("recurrent_gemma", "RecurrentGemma", "google/recurrentgemma-2b", "recurrence; windows",
      num_hidden_layers=3, attention_window_size=32),
    A("rwkv", "RWKV 4", "RWKV/rwkv-4-169m-pile", "recurrence"),
    A("qwen3_next", "Qwen3-Next", "Qwen/Qwen3-Next-80B-A3B-Instruct", "linear attention in most layers; experts",
      **LINEAR),
    A("qwen3_5_text", "Qwen3.5, text", "Qwen/Qwen3.5-0.8B", "linear attention in most layers", **LINEAR),
    A("olmo_hybrid", "OLMo hybrid", "allenai/Olmo-Hybrid-7B", "linear attention in most layers", num_hidden_layers=4),
    A("lfm2", "LFM2", "LiquidAI/LFM2-350M", "convolutions in most layers", block_auto_adjust_ff_dim=False,
      layer_types=["conv", FULL]),
    A("minimax", "MiniMax-Text-01", "MiniMaxAI/MiniMax-Text-01-hf", "linear attention in some layers; experts"),
    A("kimi_linear", "Kimi Linear", "moonshotai/Kimi-Linear-48B-A3B-Base", "linear attention in most layers; experts",
      layer_types=["linear_attention", FULL], linear_head_dim=8, linear_num_heads=4, **MLA),
    # attention twice in a layer
    A("diffllama", "DiffLlama", "kajuma/DiffLlama-0.3B-handcut", "attends twice in each layer"),
    A("hrm_text", "HRM", "sapientinc/HRM-Text-1B", "runs its layers many times"),
    # refused: what they compute depends on the number of a token, and new tokens have none
    A("deepseek_v4", "DeepSeek V4", "deepseek-ai/DeepSeek-V4-Flash-Base", "experts chosen by a table of token ids",
      num_hidden_layers=4, num_key_value_heads=1, o_lora_rank=8, o_groups=2, index_n_heads=2, index_head_dim=8,
      index_topk=4, hc_mult=2, num_nextn_predict_layers=0, **SHORT),
    A("inkling_text", "Inkling, text", "thinkingmachines/Inkling", "logits cut to the tokens that it was trained with",
      swa_num_attention_heads=HEADS, swa_num_key_value_heads=2, swa_head_dim=HEAD, sliding_window_size=16, d_rel=4,
      rel_extent=32, unpadded_vocab_size=300),
    # language models within multimodal ones
    A("gemma3", "Gemma 3", "google/gemma-3-4b-pt", "wrapped; windows in some layers",
      text=dict(layer_types=[SLIDING, FULL], **SHORT), vision_config=dict(VISION, image_size=28),
      mm_tokens_per_image=4, image_token_index=5, boi_token_index=6, eoi_token_index=7),
    A("qwen3_5", "Qwen3.5", "Qwen/Qwen3.5-0.8B", "wrapped; linear attention in most layers",
      text=LINEAR, vision_config=dict(hidden_size=16, intermediate_size=24, depth=1, num_heads=2, out_hidden_size=WIDTH,
                                      num_position_embeddings=16)),
]  # fmt: skip


def make(architecture: Architecture, folder: Path, seed: int = 0) -> Path:
    """Write the base model, tokenizer included, and return its folder."""
    tokenizer = make_tokenizer(bos=False)
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(architecture.config(tokenizer), dtype=torch.float32)
    enliven(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@torch.no_grad()
def enliven(model: torch.nn.Module) -> None:
    """Weights of a size that makes each layer count, and biases: those of random models are near zero or zero, and so
    are their logits, whatever a text's beginning."""
    for name, weight in model.named_parameters():
        if weight.dim() >= 2 and min(weight.shape[-2:]) > 4:
            weight.normal_(std=weight.shape[-1] ** -0.5)
        elif weight.dim() == 1 and (name.endswith("bias") or not weight.any()):
            weight.add_(torch.randn_like(weight), alpha=0.1)


@dataclass
class Trained:
    """A unit after a few steps of training: ``way`` is the pass that they took, ``moved`` has the names of the
    parameters and buffers that they changed."""

    base: Path
    unit: ModelUnit
    examples: list[Example]
    way: TrainingPass
    moved: set[str] = field(default_factory=set)

    @property
    def training(self) -> str:
        """The path of training, as the docs have it."""
        return ("unpadded" if self.way.unpadded else "padded") + (", loss in the head" if self.way.in_head else "")

    def gradients(self) -> dict[str, torch.Tensor]:
        """Of the summed loss over all examples, by parameter."""
        self.unit.model.zero_grad()
        with self.way.prepared():
            self.way.loss(self.unit.model, self.way.collate(self.examples)).backward()
        return gradients_of(self.unit.model)


def train_a_little(base: Path, mode: str, steps: int, lora_module: str = "mlp") -> Trained:
    """Train the model in ``base`` for a few ``steps``. Raises UserError where it cannot be."""
    config = ModelConfig(
        model_name_or_path=str(base), parameter_efficient_mode=mode, lora_module=lora_module, dtype="float32",
        lora_dropout=0.0,
    )  # fmt: skip
    unit = build(config, LIMIT)
    examples = list(encode_solutions(SOLUTIONS, unit.layout, unit.tokenizer, LIMIT)[0])
    done = Trained(base, unit, examples, TrainingPass(unit, examples))
    before = {name: one.detach().clone() for name, one in tensors(unit.model).items()}
    optimizer = torch.optim.Adam([one for one in unit.model.parameters() if one.requires_grad], lr=0.05)
    for _ in range(steps):
        done.gradients()
        optimizer.step()
    done.moved = {name for name, one in tensors(unit.model).items() if not torch.equal(one, before[name])}
    unit.model.eval()
    return done


def answers(unit: ModelUnit) -> tuple[list[Trace], str]:
    """To the `QUESTIONS`, three at a time and at most `ROOM` tokens together with each; and by which path, as the docs
    have it."""
    unit.manifest = replace(unit.manifest, model_max_length=ROOM)
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("memreason")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        traces = generate(unit, QUESTIONS, GenerationOptions(batch_size=3))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    lines = "\n".join(said)
    if "batch by batch" not in lines:
        return traces, "continuous"
    path = "batches of equal length" if "equal length" in lines else "padded batches"
    path = "one at a time" if "one prompt at a time" in lines else path
    return traces, path + (", without a cache" if "without a cache" in lines else "")


def tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What a model is made of: not what it computes anew, such as rotations that depend on a text's length."""
    kept = model.state_dict().keys()
    return dict(model.named_parameters()) | {name: one for name, one in model.named_buffers() if name in kept}


def gradients_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
