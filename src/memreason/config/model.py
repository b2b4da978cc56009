"""Every option, typed, documented and validated.

The options of `memreason train` are `ModelConfig`, `VariantConfig`, `DataConfig` and `TrainingConfig` together. The
last, all of Hugging Face's TrainingArguments, imports torch, and so lives apart; `command_line.py` reads them all from
flags and recipes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from memreason.errors import UserError, did_you_mean
from memreason.records import MEMORY, REASON
from memreason.runtime.devices import DEVICE_HELP, DEVICES
from memreason.tasks.registry import check_name

PREFIX_TUNING = "prefix-tuning"
PARAMETER_EFFICIENT_MODES = ("none", "lora", "prompt-tuning", "lora+prompt-tuning", PREFIX_TUNING)
LORA_MODULES = ("mlp", "atten", "all")
LABELLED: dict[str, tuple[str, ...]] = {"none": (), "memory": (MEMORY, REASON)}
"""Methods of `--extract_step_type_tokens` that infer nothing → the step types that get tokens of their own."""
EMBEDDING_METHODS = ("k-means", "balanced-k-means", "vae", "vae-contrastive", "vae-next-step")
"""Methods that infer types from step embeddings, and so are fitted before training."""
INFERRED = ("+-*/", "tf-idf", *EMBEDDING_METHODS)
CONTROLS = ("random", "shared", "shuffled")
SHUFFLED = "shuffled:"
STEP_TYPE_METHODS = (*LABELLED, *INFERRED, *CONTROLS, *(SHUFFLED + method for method in INFERRED))
"""All methods of `--extract_step_type_tokens`."""
DTYPES = ("auto", "float32", "bfloat16", "float16")
_KNOWN = "checked against the checkpoint, which knows"
BACKENDS = ("auto", "transformers", "openvino", "vllm")
"""What decodes: our continuous batching (`auto`), transformers' `generate` batch by batch, or another engine."""


def option(default: Any, help: str, choices: Sequence[str] | None = None, aliases: Sequence[str] = ()) -> Any:
    """A dataclass field that `HfArgumentParser` turns into a flag."""
    metadata: dict[str, Any] = {"help": help}
    if choices:
        metadata["choices"] = list(choices)
    if aliases:
        metadata["aliases"] = list(aliases)
    return field(default=default, metadata=metadata)


def check_choice(flag: str, value: str, choices: Sequence[str]) -> None:
    """Raise UserError where ``value`` is none of ``choices``."""
    if value not in choices:
        raise UserError(f"--{flag} {value!r}: must be one of {', '.join(choices)}{did_you_mean(value, choices)}")


def check_at_least(flag: str, value: int | float | None, minimum: int | float) -> None:
    """Raise UserError where ``value`` is given and below ``minimum``."""
    if value is not None and not value >= minimum:  # not a number is not enough
        raise UserError(f"--{flag} {value}: must be at least {minimum}")


@dataclass(frozen=True)
class InferredTypes:
    """Step types that were inferred: name → words that the rows of its tokens start from, and what inferred them."""

    words: dict[str, str]
    record: dict[str, Any]


@dataclass
class ModelConfig:
    """Which model, which planning tokens, and which of its weights are trained."""

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
        "(the data's labels permuted over all steps) and 'shuffled:METHOD' (inferred ones permuted)",
    )
    num_plan_types: int = option(5, "number of inferred step types; 'memory' has its two and '+-*/' its five")
    step_types_path: str | None = option(
        None, "folder of `memreason step-types fit` with the step types (default: where it puts them)"
    )
    parameter_efficient_mode: str = option(
        "lora+prompt-tuning",
        "what is trained: 'none' = every weight; 'lora' = adapters, the new token rows stay as initialised; "
        "'prompt-tuning' = the new token rows only; 'lora+prompt-tuning' = adapters and new rows; 'prefix-tuning' = "
        "keys and values before every text (only with --add_soft_prompts False or --add_hard_prompts True)",
        choices=PARAMETER_EFFICIENT_MODES,
    )
    lora_module: str = option(
        "mlp",
        "layers that get adapters: mlp (with the experts of a mixture, but never its router), atten(tion) or all; "
        "where nothing has such a name, the other linear layers (OPT's fc1 and fc2, Mamba's in_proj)",
        choices=LORA_MODULES,
    )
    lora_r: int = option(16, "rank of the adapters")
    lora_alpha: int = option(16, "adapter scale: alpha / r multiplies their output")
    num_virtual_tokens: int = option(20, "prefix-tuning: the number of positions whose keys and values are trained")
    lora_dropout: float = option(0.05, "dropout before the adapters while training")
    dtype: str = option(
        "auto",
        "data type of the base model's weights, frozen or (--parameter_efficient_mode none) trained; auto = what is "
        "fastest here, measured",
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
        if self.int8_training and self.int4_training:
            raise UserError("--int8_training with --int4_training: say one of them")
        if self.bits and self.parameter_efficient_mode == "none":
            raise UserError(
                f"--int{self.bits}_training with --parameter_efficient_mode none: such weights cannot be trained"
            )
        base = self.base_model_name_or_path
        if base is not None and base != self.model_name_or_path:
            raise UserError(
                f"--base_model_name_or_path {base} differs from --model_name_or_path {self.model_name_or_path}: "
                "training starts from one model; give only --model_name_or_path"
            )
        tokens = self.num_general_prefix_tokens + self.num_special_prefix_tokens
        if self.add_soft_prompts and tokens == 0:
            raise UserError(
                "--add_soft_prompts True with 0 general and 0 special tokens adds nothing; raise "
                "--num_general_prefix_tokens or --num_special_prefix_tokens, or say --add_soft_prompts False"
            )
        if self.parameter_efficient_mode == "prompt-tuning" and not self.add_soft_prompts:
            raise UserError(
                "--parameter_efficient_mode prompt-tuning trains the planning tokens only, and "
                "--add_soft_prompts False leaves none: nothing would be trained"
            )

    @property
    def bits(self) -> int | None:
        """The bits of each frozen weight, where they are quantized."""
        return 8 if self.int8_training else 4 if self.int4_training else None

    @property
    def inferred(self) -> InferredTypes | None:
        """The inferred step types, once they are known."""
        return vars(self).get("_inferred")

    def knowing(self, inferred: InferredTypes) -> ModelConfig:
        """The same options, with the inferred step types known."""
        config = copy.copy(self)
        vars(config)["_inferred"] = inferred
        return config

    @property
    def step_types(self) -> tuple[str, ...]:
        """The step types that get tokens of their own; inferred ones only on a config `knowing` them."""
        if self.inferred is not None:
            return tuple(self.inferred.words)
        if self.extract_step_type_tokens not in LABELLED:
            raise ValueError(f"the types of {self.extract_step_type_tokens} are known once they are inferred")
        return LABELLED[self.extract_step_type_tokens]


@dataclass
class DataConfig:
    """Which questions, how many, and how long a text may be."""

    _argument_group_name: ClassVar[str] = "data"

    dataset: str = option("atlas", "dataset name; `memreason tasks` lists them")
    data_path: str | None = option(None, "file, folder or hub id that holds the dataset (see `memreason tasks`)")
    num_train: int | None = option(None, "train on this many questions, drawn once without replacement (default: all)")
    num_validation: int = option(
        100, "questions set apart from train to choose the best epoch, where there is no such split"
    )
    num_test: int | None = option(
        100,
        "distinct questions to evaluate on, from validation at each epoch's end and from each test split; 0 = all",
    )
    split_seed: int = option(0, "seed of every split and draw of questions")
    num_countries: int | None = option(None, "atlas only: how many countries the questions are about")
    model_max_length: int = option(
        512, "longest text in tokens, prompt and solution together", aliases=["--max_length"]
    )
    use_calculator: bool = option(
        False, "evaluate with a calculator: results in marks such as <<48/2=24>> (GSM8K) are computed, not guessed"
    )
    generation_backend: str = option(
        "auto",
        "what decodes in evaluation: auto = our continuous batching, or transformers where the model needs that; "
        "transformers = its generate, batch by batch; openvino = OpenVINO on the CPU; vllm (`memreason evaluate` only)",
        choices=BACKENDS,
    )
    k_shot: int = option(
        0,
        "before training, evaluate the base model with this many solved examples in the prompt (0 = do not); with "
        "--use_demonstrations, how many are shown in training and evaluation instead",
    )

    def __post_init__(self) -> None:
        for flag, minimum in (
            ("num_train", 1),
            ("num_validation", 1),
            ("num_test", 0),
            ("k_shot", 0),
            ("model_max_length", 8),
        ):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("generation_backend", self.generation_backend, BACKENDS)
        check_name(self.dataset)


@dataclass
class EvaluateConfig:
    """Options of `memreason evaluate`; what is not given comes from the checkpoint."""

    _argument_group_name: ClassVar[str] = "evaluation"

    model_name_or_path: str = option("", "a checkpoint of ours (needs nothing else), or a base model")
    base_model_name_or_path: str | None = option(
        None, "the base model, where it is no longer where the checkpoint says"
    )
    dataset: str | None = option(None, "dataset (default: the checkpoint's)")
    data_path: str | None = option(None, "file, folder or hub id (default: the checkpoint's)")
    split: str | None = option(None, "split to evaluate (default: every test split)")
    num_test: int | None = option(None, "distinct questions per split; 0 = all (default: the checkpoint's, or all)")
    split_seed: int | None = option(None, "seed of splits and draws (default: the checkpoint's, or 0)")
    use_calculator: bool | None = option(
        None, "compute the results in marks such as <<48/2=24>> (default: the checkpoint's, or False)"
    )
    k_shot: int = option(0, "base models only: solved examples in the prompt; 0 = an instruction")
    num_train: int | None = option(None, "base models only: train questions that the examples are drawn from")
    num_validation: int = option(100, "base models only: as in `memreason train`")
    num_countries: int | None = option(None, "base models on atlas only: how many countries it is about")
    per_device_eval_batch_size: int | None = option(
        None, "questions generated for at once (default: the checkpoint's, or 64)", aliases=["--batch_size"]
    )
    model_max_length: int | None = option(
        None, "longest text in tokens (default: the checkpoint's, or 512)", aliases=["--max_length"]
    )
    dtype: str | None = option(None, "data type of the weights (default: the checkpoint's, or auto)")
    load_in_8bit: bool = option(False, "hold the weights in 8 bits (needs bitsandbytes)")
    load_in_4bit: bool = option(False, "hold the weights in 4 bits, NF4 (needs CUDA and bitsandbytes)")
    generation_backend: str | None = option(
        None, f"what decodes: {', '.join(BACKENDS)} (default: the checkpoint's, or auto)"
    )
    device: str = option("auto", DEVICE_HELP, DEVICES)
    output_dir: str | None = option(None, "where traces and metrics go (default: in the checkpoint's folder)")
    show: int = option(3, "print this many traces")
    # Spoken by the original's eval.sh; the checkpoint knows them, so they are checked, not used.
    add_soft_prompts: bool | None = option(None, _KNOWN)
    num_general_prefix_tokens: int | None = option(None, _KNOWN)
    num_special_prefix_tokens: int | None = option(None, _KNOWN)
    parameter_efficient_mode: str | None = option(None, _KNOWN)
    extract_step_type_tokens: str | None = option(None, _KNOWN)
    num_plan_types: int | None = option(None, _KNOWN)
    lora_module: str | None = option(None, _KNOWN)
    only_at_front: bool | None = option(None, _KNOWN)
    plan_first: bool | None = option(None, _KNOWN)
    plan_only: bool | None = option(None, _KNOWN)
    add_hard_prompts: bool | None = option(None, _KNOWN)
    use_sparse_attention: bool | None = option(None, _KNOWN)
    prompt_template: str | None = option(None, _KNOWN)
    use_demonstrations: bool | None = option(None, _KNOWN)
    demo_selection: str | None = option(None, _KNOWN)

    def __post_init__(self) -> None:
        if not self.model_name_or_path:
            raise UserError("--model_name_or_path is missing: give a checkpoint folder or a base model")
        for flag, minimum in (("num_test", 0), ("k_shot", 0), ("per_device_eval_batch_size", 1), ("show", 0)):
            check_at_least(flag, getattr(self, flag), minimum)
        check_choice("generation_backend", self.generation_backend or BACKENDS[0], BACKENDS)
        if self.dataset is not None:
            check_name(self.dataset)


@dataclass
class AskConfig:
    """Options of `memreason ask`."""

    _argument_group_name: ClassVar[str] = "asking"

    question: str = option("", "the question; it may also stand without the flag, in quotes")
    model_name_or_path: str = option("runs/demo", "a checkpoint of ours")
    base_model_name_or_path: str | None = option(
        None, "the base model, where it is no longer where the checkpoint says"
    )
    options: list[str] = field(default_factory=list, metadata={"help": "the options of a multiple-choice question"})
    device: str = option("auto", DEVICE_HELP, DEVICES)
    json: bool = option(False, "print the trace as one JSON object instead of as text")
