"""Checks that a base model's files, its tokenizer and the options fit each other, before anything goes wrong."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from itertools import islice
from typing import Any

import torch
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.models.manifest import MANIFEST, Manifest
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Solution, Trace

_LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")
"""The names that configs use for the number of positions."""
_COPY = "copy the checkpoint again, or take another checkpoint-… folder of the run"
_TRIED = 8
"""How many solutions `check_texts` encodes and decodes."""


def check_loaded(path: str, model: PreTrainedModel, info: dict[str, Any], exact: bool = False) -> None:
    """Raise UserError where the files in ``path`` lack weights of the model, or hold them in other shapes.

    ``info`` is transformers' loading info. transformers itself draws such weights at random, anew at each load, and
    only warns. With ``exact`` (for a checkpoint), weights that the model does not know are an error too; in a base
    model they may be a head for another task.
    """
    mismatched = [f"{name} ({tuple(has)} instead of {tuple(wants)})" for name, has, wants in info["mismatched_keys"]]
    for names, what in (
        (info["missing_keys"], "lack weights that its config.json asks for"),
        (mismatched, "hold weights of other shapes than its config.json says"),
        (info["unexpected_keys"] if exact else (), "hold weights that its config.json does not ask for"),
    ):
        if names:
            raise UserError(
                f"the model files in {path} {what}: {_some(names)}; they are damaged, incomplete, or not of this "
                "config.json: fetch or save the model again"
            )


def check_tied(path: str, model: PreTrainedModel) -> None:
    """Raise UserError where the config says that two matrices are one (tied), but the files hold two that differ.

    transformers loads them as two. As soon as rows are added, it ties them and the head's own matrix is lost: another
    model would be trained.
    """
    declared = model.get_expanded_tied_weights_keys(all_submodels=True)
    if apart := sorted(set(declared) - set(model.all_tied_weights_keys)):
        raise UserError(
            f"the config.json in {path} says that {apart[0]} and {declared[apart[0]]} are one matrix, and its files "
            'hold two that differ; write "tie_word_embeddings": false into that config.json'
        )


def check_finite(weights: Iterable[tuple[str, torch.Tensor]], where: str, what_to_do: str) -> None:
    """Raise UserError where one of the named ``weights`` in ``where`` holds a nan or an infinity."""
    bad = [name for name, tensor in weights if tensor.is_floating_point() and not torch.isfinite(tensor).all()]
    if bad:
        raise UserError(f"{where}: weights that are not finite (nan or infinity): {_some(bad)}; {what_to_do}")


def check_vocabulary(
    path: str, tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, added: Container[str] = ()
) -> None:
    """Raise UserError where a token of the tokenizer, other than those that we ``added``, has no row in the embedding.

    Missing rows would be drawn at random, anew at each load. More rows than tokens are fine.
    """
    tokens = 1 + max(row for name, row in tokenizer.get_vocab().items() if name not in added)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokens > rows:
        raise UserError(
            f"the tokenizer in {path} has {tokens} tokens, and the model's embedding {rows} rows, so that "
            f"{tokens - rows} tokens have none (and would get random ones, different at each load); use the tokenizer "
            "that belongs to the model, or give the model rows once: load it with transformers, "
            f"resize_token_embeddings({tokens}), and save_pretrained into a folder of your own with the tokenizer"
        )


def check_tokens(folder: str, tokenizer: PreTrainedTokenizerBase, manifest: Manifest) -> None:
    """Raise UserError where the tokenizer of the checkpoint in ``folder`` does not fit its ``manifest``."""
    token_ids = {name: tokenizer.convert_tokens_to_ids(name) for name in manifest.token_ids}
    if token_ids != manifest.token_ids:
        raise UserError(f"{folder}: its tokenizer gives the planning tokens other ids than {MANIFEST} says; {_COPY}")
    if set(token_ids) != set(manifest.planning_tokens.names):
        raise UserError(f"{folder}: {MANIFEST} has ids of other tokens than its planning_tokens are; {_COPY}")
    if (last := max(tokenizer.get_vocab().values(), default=-1)) >= manifest.rows:
        raise UserError(
            f"{folder}: its tokenizer has a token {last}, and {MANIFEST} says {manifest.rows} rows; {_COPY}"
        )


def check_rows(folder: str, model: PreTrainedModel, rows: int, trained: Collection[int]) -> None:
    """Raise UserError where a row of a checkpoint's embedding is stored nowhere.

    The embedding has ``rows`` rows. Each must be in the base model ``model``, or among the ids ``trained``, whose rows
    are in the checkpoint.
    """
    known = model.get_input_embeddings().weight.shape[0]
    lost = max(0, rows - known) - sum(known <= id < rows for id in set(trained))
    if lost:
        raise UserError(
            f"{folder}: its tokenizer has {lost} tokens with a row neither in the base model nor in the "
            "checkpoint (they would be random, different at each load); train again from a base model with rows for "
            "all its tokens"
        )


def position_limit(config: PreTrainedConfig) -> int | None:
    """The most tokens of a text by the model's config, rope scaling included; None where the config sets no limit.

    Most recurrent models, and models whose positions are biases computed for any distance (ALiBi), set no limit.
    """
    text = config.get_text_config()
    limits = [limit for name in _LIMITS if isinstance(limit := getattr(text, name, None), int) and limit > 0]
    if not limits or getattr(text, "alibi", None) is True:
        return None
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    # A config has one scaling, or one for each kind of layer. It gives the length before the scaling, or after it.
    scalings = [scaling for scaling in (rope, *rope.values()) if isinstance(scaling, dict)]
    scaled = [
        (scaling.get("original_max_position_embeddings") or limits[0]) * factor
        for scaling in scalings
        if isinstance(factor := scaling.get("factor"), int | float)
    ]
    return int(max(limits[0], *scaled, 0))


def check_length(config: PreTrainedConfig, model_max_length: int, prefix: int = 0) -> None:
    """Raise UserError where texts of ``model_max_length`` tokens, after a trained prefix of ``prefix`` positions, are
    too long for the model."""
    limit = position_limit(config)
    if limit is not None and model_max_length + prefix > limit:
        also = f", of which the prefix takes {prefix} (--num_virtual_tokens)" if prefix else ""
        raise UserError(
            f"--model_max_length {model_max_length}: the base model has {limit} positions{also}; give at most "
            f"--model_max_length {limit - prefix}"
        )


def check_texts(layout: PlanningTokens, tokenizer: PreTrainedTokenizerBase, solutions: Iterable[Solution]) -> None:
    """Raise UserError where the tokenizer changes texts so much that no trace could be parsed.

    ``tokenizer`` already has the layout's tokens. The first `_TRIED` of ``solutions`` that have steps are encoded,
    decoded like generated ids, and parsed. At least one must come back with its step types, its form and its answer.
    """
    shown = ""
    for solution in islice((solution for solution in solutions if solution.steps), _TRIED):
        encoded = layout.encode(tokenizer, solution)
        written = layout.solution_text(solution.steps, solution.question.answer)
        back = "".join(layout.prefix) + tokenizer.decode(encoded.ids[encoded.prompt_length : -1])
        if _outline(layout.parse(solution.question, back)) == _outline(layout.parse(solution.question, written)):
            return
        shown = shown or f"solution {solution.question.id} went in as\n{written}\nand came back as\n{back}"
    if shown:
        raise UserError(
            "the base model's tokenizer changes texts (it lowercases, strips or otherwise normalises them) so that "
            f"solutions cannot be read back from their tokens; use another base model. {shown}"
        )


def _outline(trace: Trace) -> tuple[list[str], bool, str]:
    """The parts of a trace that must come back unchanged; white space in the answer may change."""
    return [step.type for step in trace.steps], trace.well_formed, "".join((trace.answer or "").split())


def _some(names: Iterable[str]) -> str:
    first = sorted(names)
    return ", ".join(first[:3]) + (f" and {len(first) - 3} more" if len(first) > 3 else "")
