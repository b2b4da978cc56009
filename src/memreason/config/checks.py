"""The rules on combinations of options. Each is a pure function of option values and raises UserError.

The classes of options call the rules that concern one command when they are created, before torch is imported. Checks
that also need the data, a tokenizer or a model are in `training/checks.py` and `models/base_checks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from memreason.errors import UserError

PREFIX_TUNING, PROMPT_TUNING = "prefix-tuning", "prompt-tuning"


def check_quantization(int8: bool, int4: bool, mode: str) -> None:
    """Weights can be held in 8 bits or in 4 bits, not in both, and weights held so cannot be trained themselves."""
    if int8 and int4:
        raise UserError("--int8_training with --int4_training: say one of them")
    if (int8 or int4) and mode == "none":
        raise UserError(
            f"--int{8 if int8 else 4}_training with --parameter_efficient_mode none: such weights cannot be trained"
        )


def check_one_base(base: str | None, model: str) -> None:
    """The two flags for the base model must name the same model, if both are given."""
    if base is not None and base != model:
        raise UserError(
            f"--base_model_name_or_path {base} differs from --model_name_or_path {model}: "
            "training starts from one model; give only --model_name_or_path"
        )


def check_soft_prompts(soft: bool, tokens: int, mode: str) -> None:
    """There must be planning tokens if they are used, or if nothing else is trained.

    ``tokens`` is the number of general and special ones together.
    """
    if soft and tokens == 0:
        raise UserError(
            "--add_soft_prompts True with 0 general and 0 special tokens adds nothing; raise "
            "--num_general_prefix_tokens or --num_special_prefix_tokens, or say --add_soft_prompts False"
        )
    if mode == PROMPT_TUNING and not soft:
        raise UserError(
            "--parameter_efficient_mode prompt-tuning trains the planning tokens only, and "
            "--add_soft_prompts False leaves none: nothing would be trained"
        )


def check_reuse(reuse: bool, soft: bool) -> None:
    """Rows can be reused only if there are planning tokens (``soft``) to put there."""
    if reuse and not soft:
        raise UserError("--reuse_reserved_tokens: there are no planning tokens to put into reserved rows; leave it out")


def check_training_dtype(mode: str, dtype: str) -> None:
    """In float16, all weights together (``mode`` none) cannot be trained."""
    if mode == "none" and dtype == "float16":
        raise UserError(
            "--dtype float16 with --parameter_efficient_mode none: updates of weights overflow or vanish in float16; "
            "use --dtype bfloat16 or float32, or float32 with --fp16 True (which computes in float16)"
        )


def check_ablations(placements: Sequence[str], sparse: bool, demonstrations: bool, hard: bool) -> None:
    """Some ablations exclude each other. ``placements`` are the given flags that say where planning tokens stand."""
    if len(placements) > 1:
        raise UserError(f"--{' and --'.join(placements)} contradict each other: each says where planning tokens go")
    if sparse and demonstrations:
        raise UserError(
            "--use_sparse_attention with --use_demonstrations: the demonstrations' planning tokens would be taken "
            "for steps of the solution"
        )
    if sparse and (placements or hard):
        flag = placements[0] if placements else "add_hard_prompts"
        raise UserError(
            f"--use_sparse_attention with --{flag}: without new tokens before each step, steps cannot be told apart"
        )
    if "only_at_front" in placements and hard:
        raise UserError(
            "--only_at_front with --add_hard_prompts: only general tokens stand at the front, and there are no "
            "words for those"
        )


def check_mode(mode: str, soft: bool, constant_len: bool, random: bool) -> None:
    """What is trained (``mode``) must allow new tokens (``soft``), packed rows and random weights, if they are used."""
    if mode == PREFIX_TUNING and soft:
        raise UserError(
            "--parameter_efficient_mode prefix-tuning has no place for new tokens in its checkpoint; say "
            "--add_soft_prompts False, or --add_hard_prompts True"
        )
    if mode == PREFIX_TUNING and constant_len:
        raise UserError(
            "--parameter_efficient_mode prefix-tuning with --mode constant_len: the prefix would stand before the "
            "first solution of a row only"
        )
    if random and mode != "none":
        raise UserError(
            f"--random_initialize with --parameter_efficient_mode {mode}: random weights that are frozen can do "
            "nothing, and the checkpoint would not hold them; use none"
        )


def check_hard_prompts(typed: bool, mode: str) -> None:
    """--add_hard_prompts needs step types to name (``typed``), and something to train."""
    if not typed:
        raise UserError("--add_hard_prompts with --extract_step_type_tokens none: there are no types to name")
    if mode == PROMPT_TUNING:
        raise UserError(
            "--parameter_efficient_mode prompt-tuning trains new tokens only, and --add_hard_prompts adds "
            "none: nothing would be trained; use none or lora"
        )


def check_sparse(soft: bool) -> None:
    """--use_sparse_attention needs planning tokens (``soft``)."""
    if not soft:
        raise UserError("--use_sparse_attention with --add_soft_prompts False: there are no tokens to see")


def check_front(soft: bool, general: int) -> None:
    """--only_at_front needs planning tokens (``soft``), and among them general ones (``general``: their number)."""
    if not soft:
        raise UserError("--only_at_front with --add_soft_prompts False: there are no tokens to place")
    if general == 0:
        raise UserError("--only_at_front writes the general tokens; raise --num_general_prefix_tokens above 0")


def check_plan(flag: str, soft: bool, hard: bool, typed: bool, special: int) -> None:
    """--plan_first and --plan_only (``flag``: which) need step types, and tokens or words for them."""
    if not soft and not hard:
        raise UserError(f"--{flag} with --add_soft_prompts False: there are no tokens to plan with")
    if not typed or (soft and special == 0):
        raise UserError(
            f"--{flag} plans the types of the steps; it needs --extract_step_type_tokens other than none and "
            "--num_special_prefix_tokens above 0"
        )


def check_demonstrations(k_shot: int, method: str, labelled: bool) -> None:
    """--use_demonstrations needs their number, and step types from the data (``labelled``), not inferred by
    ``method``."""
    if k_shot == 0:
        raise UserError("--use_demonstrations: say how many with --k_shot")
    if not labelled:
        raise UserError(
            f"--use_demonstrations with --extract_step_type_tokens {method}: a checkpoint "
            "does not hold the demonstrations' inferred types, so evaluation could not show the same ones; use "
            "none or memory"
        )


def check_run(mode: str, activation_checkpointing: bool, backend: str) -> None:
    """What a run trains (``mode``) must allow the way in which it saves memory, and ``backend`` must be able to answer
    questions during training."""
    if activation_checkpointing and mode == PREFIX_TUNING:
        raise UserError(
            f"--activation_checkpointing with --parameter_efficient_mode {PREFIX_TUNING}: transformers mistakes the "
            "prefix for a cache and drops it; leave one of the two options out"
        )
    if backend == "vllm":
        raise UserError(
            "--generation_backend vllm needs a GPU for itself, and the model is trained there; leave it out here, and "
            "give it to memreason evaluate"
        )


def check_sharded(mode: str, bits: int | None, backend: str, other_engine: bool) -> None:
    """--fsdp cannot shard all kinds of weights, nor give them to ``other_engine``: a ``backend`` that is neither
    memreason nor transformers."""
    if mode == PREFIX_TUNING or bits:
        what = f"--int{bits}_training" if bits else f"--parameter_efficient_mode {PREFIX_TUNING}"
        raise UserError(f"--fsdp with {what}: such weights cannot be sharded; leave --fsdp out")
    if other_engine:
        raise UserError(f"--fsdp with --generation_backend {backend}: this backend cannot use sharded weights")


def check_engine(backend: str, mode: str, bits: int | None, sparse: bool, calculator: bool) -> None:
    """A ``backend`` that is another engine gets plain weights, and can do only what a plain model can."""
    impossible = {
        "--use_calculator": calculator,
        "--use_sparse_attention": sparse,
        f"--parameter_efficient_mode {PREFIX_TUNING}": mode == PREFIX_TUNING,
        f"weights held in {bits} bits": bits is not None,
    }
    for what, wanted in impossible.items():
        if wanted:
            raise UserError(f"--generation_backend {backend} cannot do {what}; say auto, which can do it")


def bits_to_load(in_8bit: bool, in_4bit: bool) -> int | None:
    """The bits of each weight that --load_in_8bit or --load_in_4bit asks for; None where neither is given."""
    if in_8bit and in_4bit:
        raise UserError("--load_in_8bit with --load_in_4bit: say one of them")
    return 8 if in_8bit else 4 if in_4bit else None
