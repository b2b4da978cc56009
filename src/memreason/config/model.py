"""Which model, which planning tokens, and which of its weights are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from memreason.config.checks import (
    PREFIX_TUNING,
    check_one_base,
    check_quantization,
    check_reuse,
    check_soft_prompts,
)
from memreason.config.fields import check_at_least, check_choice, option
from memreason.errors import UserError
from memreason.records import MEMORY, REASON

PARAMETER_EFFICIENT_MODES = ("none", "lora", "prompt-tuning", "lora+prompt-tuning", PREFIX_TUNING)
LORA_MODULES = ("mlp", "atten", "all")
LABELLED: dict[str, tuple[str, ...]] = {"none": (), "memory": (MEMORY, REASON)}
"""Methods of `--extract_step_type_tokens` that infer nothing → the step types that get tokens of their own."""
INFERRED = {
    "+-*/": "arithmetic", "tf-idf": "tfidf", "k-means": "kmeans", "balanced-k-means": "kmeans",
    "vae": "sqvae", "vae-contrastive": "sqvae", "vae-next-step": "sqvae",
}  # fmt: skip
"""Methods that infer step types from the steps → the module in step_types/ that implements the method."""
CONTROLS = ("random", "shared", "shuffled")
SHUFFLED = "shuffled:"
STEP_TYPE_METHODS = (*LABELLED, *INFERRED, *CONTROLS, *(SHUFFLED + method for method in INFERRED))
"""All methods of `--extract_step_type_tokens`."""
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class InferredTypes:
    """Step types that were inferred from the training steps.

    ``words``: name of a type → words; the embeddings of the type's tokens start from the embeddings of these words.
    ``record``: how the types were inferred (method, seed, …), as a checkpoint's manifest keeps it.
    """

    words: dict[str, str]
    record: dict[str, Any]


@dataclass(frozen=True)
class ModelConfig:
    """Which model, which planning tokens, and which of its weights are trained."""

    checked_flags: ClassVar[tuple[str, ...]] = (
        "add_soft_prompts", "num_general_prefix_tokens", "num_special_prefix_tokens", "parameter_efficient_mode",
        "extract_step_type_tokens", "num_plan_types", "lora_module",
    )  # fmt: skip
    """Options that `memreason evaluate` accepts too and compares with the checkpoint, because the original's scripts
    pass them there."""
    _argument_group_name: ClassVar[str] = "model and planning tokens"

    model_name_or_path: str = option(
        "smollm2",
        "base model: a hub id, a folder, or 'smollm2' (SmolLM2-135M-Instruct; needs no hub)",
    )
    base_model_name_or_path: str | None = option(
        None, "same as --model_name_or_path when training; kept for the original's scripts"
    )
    add_soft_prompts: bool = option(
        True, "use planning tokens; False trains plain chain of thought on the same solutions"
    )
    num_general_prefix_tokens: int = option(2, "general tokens <prefix_0>… that open every line")
    num_special_prefix_tokens: int = option(3, "tokens of the step's type, <memory_0>…, <reason_0>…, <answer_0>…")
    extract_step_type_tokens: str = option(
        "memory",
        "where step types come from: 'memory' (the data's memory/reason labels), 'none' (no step types), or inferred "
        f"from the steps: {', '.join(INFERRED)}; or, as controls, 'random', 'shared' (one type for all), 'shuffled' "
        "(the data's labels permuted over all steps) and 'shuffled:METHOD' (inferred types permuted)",
    )
    num_plan_types: int = option(5, "number of inferred step types ('memory' always has two, '+-*/' always five)")
    step_types_path: str | None = option(
        None, "folder with the step types that `memreason step-types fit` wrote (default: where it writes them)"
    )
    reuse_reserved_tokens: bool = option(
        False,
        "put planning tokens into rows that the base model has and does not use (reserved tokens, such as Gemma's "
        "unused7 or Llama 3's reserved_special_token_5, or rows beyond the tokenizer's tokens), so that its vocabulary "
        "does not grow",
    )
    parameter_efficient_mode: str = option(
        "lora+prompt-tuning",
        "what is trained: 'none' = every weight; 'lora' = adapters, while the embeddings of new tokens stay as "
        "initialised; 'prompt-tuning' = only the embeddings of new tokens; 'lora+prompt-tuning' = adapters and these "
        "embeddings; 'prefix-tuning' = keys and values before every text (only with --add_soft_prompts False or "
        "--add_hard_prompts True)",
        choices=PARAMETER_EFFICIENT_MODES,
    )
    lora_module: str = option(
        "mlp",
        "layers that get adapters: mlp (of a mixture of experts, the experts but not the router), atten (attention) or "
        "all; if the model has no layers of the usual names, its other linear layers (OPT's fc1 and fc2, Mamba's "
        "in_proj)",
        choices=LORA_MODULES,
    )
    lora_r: int = option(16, "rank of the adapters")
    lora_alpha: int = option(16, "adapter scale: alpha / r multiplies their output")
    num_virtual_tokens: int = option(20, "prefix-tuning: the number of positions whose keys and values are trained")
    lora_dropout: float = option(0.05, "dropout before the adapters while training")
    dtype: str = option(
        "auto",
        "data type of the base model's weights, also where they are trained (--parameter_efficient_mode none); auto = "
        "the one that is measured to be the fastest on this machine",
        DTYPES,
    )
    int8_training: bool = option(False, "hold the frozen weights in 8 bits (needs bitsandbytes)")
    int4_training: bool = option(False, "hold the frozen weights in 4 bits, NF4 (needs CUDA and bitsandbytes)")

    def __post_init__(self) -> None:
        check_choice("parameter_efficient_mode", self.parameter_efficient_mode, PARAMETER_EFFICIENT_MODES)
        check_choice("lora_module", self.lora_module, LORA_MODULES)
        check_choice("extract_step_type_tokens", self.extract_step_type_tokens, STEP_TYPE_METHODS)
        check_choice("dtype", self.dtype, DTYPES)
        for flag, least in (
            ("num_general_prefix_tokens", 0), ("num_special_prefix_tokens", 0), ("num_plan_types", 1), ("lora_r", 1),
            ("lora_alpha", 1), ("num_virtual_tokens", 1),
        ):  # fmt: skip
            check_at_least(flag, getattr(self, flag), least)
        if not 0 <= self.lora_dropout < 1:
            raise UserError(f"--lora_dropout {self.lora_dropout}: must be at least 0 and below 1")
        mode, soft = self.parameter_efficient_mode, self.add_soft_prompts
        check_quantization(self.int8_training, self.int4_training, mode)
        check_one_base(self.base_model_name_or_path, self.model_name_or_path)
        check_soft_prompts(soft, self.num_general_prefix_tokens + self.num_special_prefix_tokens, mode)
        check_reuse(self.reuse_reserved_tokens, soft)

    @property
    def bits(self) -> int | None:
        """The bits of each frozen weight; None where weights are not quantized."""
        return 8 if self.int8_training else 4 if self.int4_training else None

    def step_types(self, inferred: InferredTypes | None = None) -> tuple[str, ...]:
        """The step types that get tokens of their own: the labels' types, or those ``inferred`` from the steps.

        Raises ValueError where types are to be inferred and none are given.
        """
        if inferred is not None:
            return tuple(inferred.words)
        if self.extract_step_type_tokens not in LABELLED:
            raise ValueError(f"the types of {self.extract_step_type_tokens} are known once they are inferred")
        return LABELLED[self.extract_step_type_tokens]
