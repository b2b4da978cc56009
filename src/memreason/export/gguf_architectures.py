"""The architectures that `--to gguf` writes: what a GGUF file says of them, and how llama.cpp wants their weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from gguf import MODEL_ARCH, GGUFWriter, RopeScalingType, get_tensor_name_map
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from memreason.errors import UserError

_FULL, _SLIDING = "full_attention", "sliding_attention"
_INSIDE = {"model.language_model.": "model.", "language_model.model.": "model.", "language_model.lm_head.": "lm_head."}
"""How the names of a language model's tensors begin inside a multimodal model → how they begin alone."""
_ROPE = ("default", "linear", "llama3", "yarn")


@dataclass(frozen=True)
class Architecture:
    """How llama.cpp has a kind of model.

    With ``paired``, it rotates neighbouring numbers of queries and keys (`in_pairs`). With ``norm_plus_one``, the 1
    that the model adds to the weights of its norms is part of the weights. ``tied_only``: it has no output head of its
    own. ``free_heads``: the sizes of the heads need not add up to the hidden size. ``window_period``: every so many
    layers have full attention, and the others a window; 0 where it knows no windows. ``optional_biases``: attention
    may have biases.
    """

    arch: MODEL_ARCH
    paired: bool = False
    norm_plus_one: bool = False
    tied_only: bool = False
    free_heads: bool = True
    window_period: int = 0
    optional_biases: bool = False
    activation: str = "silu"


_LLAMA = Architecture(MODEL_ARCH.LLAMA, paired=True, optional_biases=True)
_GEMMA: dict[str, Any] = dict(norm_plus_one=True, activation="gelu_pytorch_tanh")
ARCHITECTURES = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": Architecture(MODEL_ARCH.QWEN2, free_heads=False),
    "qwen3": Architecture(MODEL_ARCH.QWEN3),
    "gemma": Architecture(MODEL_ARCH.GEMMA, tied_only=True, **_GEMMA),
    "gemma2": Architecture(MODEL_ARCH.GEMMA2, tied_only=True, window_period=2, **_GEMMA),
    "gemma3_text": Architecture(MODEL_ARCH.GEMMA3, window_period=6, **_GEMMA),
}
"""`model_type` in the config of a language model → its kind."""


def architecture_of(config: PreTrainedConfig, place: object) -> Architecture:
    """The kind of a language model. Raises UserError, which begins with ``place``, where it cannot be written."""
    kind = ARCHITECTURES.get(config.model_type)
    why = _why_not(config, kind) if kind else f"the architectures known here are {', '.join(ARCHITECTURES)}"
    if kind is None or why:
        raise UserError(
            f"{place}: --to gguf cannot write this model of type {config.model_type}: {why}. Export with --to merged, "
            "and run llama.cpp's convert_hf_to_gguf.py on that folder; it knows more models"
        )
    return kind


def _why_not(config: PreTrainedConfig, kind: Architecture) -> str:
    """Why this model is not exactly what llama.cpp computes for its kind; empty where it is."""
    full = _rope_of(config)
    scalar = getattr(config, "query_pre_attn_scalar", None)
    reasons = {
        f"its activation is {_activation(config)}": _activation(config) != kind.activation,
        "its output head is not tied to its embeddings": kind.tied_only and not config.tie_word_embeddings,
        "its attention has biases": not kind.optional_biases and getattr(config, "attention_bias", False),
        "its heads are not hidden_size / num_attention_heads numbers wide": not kind.free_heads
        and _head_size(config) * config.num_attention_heads != config.hidden_size,
        "its attention looks ahead": bool(getattr(config, "use_bidirectional_attention", False)),
        f"its query_pre_attn_scalar is {scalar}": scalar is not None and scalar != _assumed_scalar(config, kind),
        "its attention has a soft cap": kind.arch == MODEL_ARCH.GEMMA3 and bool(config.attn_logit_softcapping),
        f"its rotary positions are of type {full['rope_type']}": full["rope_type"] not in _ROPE
        or (full["rope_type"] == "llama3" and kind.arch != MODEL_ARCH.LLAMA),
        "its rotary positions turn a part of each head": full.get("partial_rotary_factor", 1.0) != 1.0,
        "it scales attention in a way of its own": full["rope_type"] == "yarn" and not _usual_yarn(config, full),
        "its windows have scaled rotary positions": _rope_of(config, _SLIDING)["rope_type"] != "default"
        and kind.window_period != 0,
    }
    return " and ".join(reason for reason, holds in reasons.items() if holds)


def _activation(config: PreTrainedConfig) -> str:
    return getattr(config, "hidden_activation", None) or config.hidden_act


def _head_size(config: PreTrainedConfig) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _assumed_scalar(config: PreTrainedConfig, kind: Architecture) -> int:
    """What llama.cpp scales attention by. It recognises the models of 27 billion weights by their number of layers."""
    largest = {MODEL_ARCH.GEMMA2: 46, MODEL_ARCH.GEMMA3: 62}.get(kind.arch)
    if config.num_hidden_layers == largest:
        return config.hidden_size // config.num_attention_heads
    return _head_size(config)


def _rope_of(config: PreTrainedConfig, layers: str = _FULL) -> dict[str, Any]:
    rope = config.rope_parameters
    return rope.get(layers, rope)


def _usual_yarn(config: PreTrainedConfig, rope: dict[str, Any]) -> bool:
    _, scale = ROPE_INIT_FUNCTIONS["yarn"](config, torch.device("cpu"))
    return math.isclose(scale, 0.1 * math.log(rope["factor"]) + 1, rel_tol=1e-6) and rope.get("truncate", True)


# ---- fields ------------------------------------------------------------------------------------


def write_fields(writer: GGUFWriter, config: PreTrainedConfig, kind: Architecture, rows: int) -> None:
    """Add what llama.cpp must know of the model; ``rows`` is the number of its embeddings."""
    writer.add_context_length(context_length(config, kind))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(_head_size(config))
    writer.add_value_length(_head_size(config))
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(rows)
    _write_rope(writer, config, kind)
    if kind.window_period and config.sliding_window:
        writer.add_sliding_window(config.sliding_window)
        windows = [layer == _SLIDING for layer in config.layer_types]
        if windows != [bool((i + 1) % kind.window_period) for i in range(len(windows))]:
            writer.add_sliding_window_pattern(windows)
    if cap := getattr(config, "attn_logit_softcapping", None):
        writer.add_attn_logit_softcapping(cap)
    if cap := getattr(config, "final_logit_softcapping", None):
        writer.add_final_logit_softcapping(cap)


def context_length(config: PreTrainedConfig, kind: Architecture) -> int:
    """The longest text. Where llama.cpp knows no windows, that is the window: within it, attention is the same."""
    longest = config.max_position_embeddings
    window = getattr(config, "sliding_window", None)
    slides = _SLIDING in (getattr(config, "layer_types", None) or [_SLIDING])
    return min(longest, window) if window and slides and not kind.window_period else longest


def _write_rope(writer: GGUFWriter, config: PreTrainedConfig, kind: Architecture) -> None:
    rope = _rope_of(config)
    writer.add_rope_dimension_count(_head_size(config))
    writer.add_rope_freq_base(rope["rope_theta"])
    if kind.arch == MODEL_ARCH.GEMMA3:
        writer.add_rope_freq_base_swa(_rope_of(config, _SLIDING)["rope_theta"])
    if rope["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(RopeScalingType(rope["rope_type"]))
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "yarn":
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        writer.add_rope_scaling_yarn_beta_fast(rope.get("beta_fast") or 32.0)
        writer.add_rope_scaling_yarn_beta_slow(rope.get("beta_slow") or 1.0)


# ---- tensors -----------------------------------------------------------------------------------


class Tensors:
    """The names and the form that llama.cpp has for the tensors of a model of transformers.

    ``wrapped``: the language model is a part of a multimodal one; the other parts are left out.
    """

    def __init__(self, config: PreTrainedConfig, kind: Architecture, place: object, wrapped: bool = False):
        self.config, self.kind, self.place, self.wrapped = config, kind, place, wrapped
        self.names = get_tensor_name_map(kind.arch, config.num_hidden_layers)

    def name(self, name: str) -> str | None:
        """llama.cpp's name of a tensor; None for one that it does not need. Raises UserError for an unknown one."""
        own = self._own(name)
        if own is None or (own == "lm_head.weight" and self.config.tie_word_embeddings):
            return None
        known = self.names.get_name(own, (".weight", ".bias"))
        if known is None:
            raise UserError(
                f"{self.place}: llama.cpp's {self.config.model_type} has no place for the tensor {name}; export with "
                "--to merged, and run llama.cpp's convert_hf_to_gguf.py on that folder"
            )
        return known

    def _own(self, name: str) -> str | None:
        """The name inside the language model; None for the other parts of a multimodal one."""
        for inside, alone in _INSIDE.items():
            if name.startswith(inside):
                return alone + name.removeprefix(inside)
        return None if self.wrapped and not name.startswith("lm_head.") else name

    def form(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """The values in float32, in the order in which llama.cpp wants them."""
        tensor = tensor.float()
        if self.kind.paired and ".q_proj." in name:
            return in_pairs(tensor, self.config.num_attention_heads)
        if self.kind.paired and ".k_proj." in name:
            return in_pairs(tensor, self.config.num_key_value_heads)
        return tensor + 1 if self.kind.norm_plus_one and name.endswith("norm.weight") else tensor

    def more(self) -> Iterator[tuple[str, torch.Tensor]]:
        """(name, values) of tensors that a GGUF file has besides: Llama 3's factors of the rotary frequencies."""
        rope = _rope_of(self.config)
        if rope["rope_type"] == "llama3":
            frequencies, _ = ROPE_INIT_FUNCTIONS["llama3"](self.config, torch.device("cpu"))
            size = _head_size(self.config)
            plain = rope["rope_theta"] ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
            yield "rope_freqs.weight", plain / frequencies


def in_pairs(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """The rows of each head reordered, so that number i of its first half stands before number i of its second.

    transformers rotates these two together, llama.cpp's `llama` two neighbours.
    """
    halves = tensor.view(heads, 2, -1, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)
