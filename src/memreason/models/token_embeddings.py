"""New tokens in the tokenizer, and their rows in the embedding matrices.

The token ids decide which rows are new, never the number of rows: Qwen2.5's matrices have more
rows than its tokenizer has tokens, so its new tokens get rows that exist already.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from transformers import AddedToken, PreTrainedModel, PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.models.reserved_rows import rename_reserved, rows_of
from memreason.models.weights import load_tokenizer
from memreason.planning_tokens.layout import PlanningTokens
from memreason.planning_tokens.names import ANSWER, PREFIX
from memreason.records import MEMORY, REASON

DESCRIBING_WORDS = {
    PREFIX: "next step",
    MEMORY: "memory fact recall",
    REASON: "reason therefore conclude",
    ANSWER: "final answer",
    "+": "plus add sum",
    "-": "minus subtract difference",
    "*": "times multiply product",
    "/": "divided share each",
    "n": "state let",
}
"""Step type → words. A new row starts at the mean embedding of its type's words; without an entry, of its name."""
INIT_NOISE = 0.1
"""Standard deviation of the noise on a new row, as a share of the standard deviation of the matrix."""


class PlanningTokenizer(NamedTuple):
    """A base model's tokenizer with the planning tokens.

    ``token_ids`` has the id of each, in ascending order. ``reused`` has the planning tokens that stand in the place of
    a token that the base model's tokenizer reserves, with the name of that token.
    """

    tokenizer: PreTrainedTokenizerBase
    token_ids: dict[str, int]
    reused: dict[str, str]


def planning_tokenizer(path: str, layout: PlanningTokens, reuse: bool = False) -> PlanningTokenizer:
    """The tokenizer of the base model in ``path``, with the layout's tokens.

    With ``reuse``, they get rows that the model has and does not use. Raises UserError where there are too few of
    these, where the tokenizer already has one of the names, and where the layout needs a chat template that it lacks.
    """
    tokenizer, reused = load_tokenizer(path), dict[str, str]()
    layout.end_id(tokenizer)
    if reuse:
        _check_new(tokenizer, layout.names)
        tokenizer, reused = rename_reserved(tokenizer, layout.names, rows_of(path))
    others = [name for name in layout.names if name not in reused]
    token_ids = {name: tokenizer.convert_tokens_to_ids(name) for name in reused}
    return PlanningTokenizer(tokenizer, token_ids | _add(tokenizer, others), reused)


def add_tokens(tokenizer: PreTrainedTokenizerBase, layout: PlanningTokens) -> dict[str, int]:
    """Add the layout's tokens to the tokenizer, and return name → id.

    They are not "special" tokens of the tokenizer, because decoding with `skip_special_tokens` must keep them.
    Raises UserError where the tokenizer already has one of the names.
    """
    return _add(tokenizer, layout.names)


def _add(tokenizer: PreTrainedTokenizerBase, names: list[str]) -> dict[str, int]:
    _check_new(tokenizer, names)
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in names])
    return {name: tokenizer.convert_tokens_to_ids(name) for name in names}


def _check_new(tokenizer: PreTrainedTokenizerBase, names: list[str]) -> None:
    """Raise UserError where the tokenizer already has one of ``names``."""
    vocabulary = tokenizer.get_vocab() if names else {}
    if taken := [name for name in names if name in vocabulary]:
        raise UserError(
            f"the base model's tokenizer already holds {', '.join(taken)}: it seems to be a model trained with "
            "planning tokens; start from its base model, or give this one other token names"
        )


def resize(model: PreTrainedModel, tokens: int) -> int:
    """Give the embeddings at least ``tokens`` rows; they never shrink. Returns the number of rows.

    If the output head has a bias, the new ids get the bias that transformers' usual resizing gives them when someone
    else loads the checkpoint: the mean of the others, or zero in a head that shares its weight with the embeddings.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if tokens <= rows:
        return rows
    before = getattr(model.get_output_embeddings(), "bias", None)
    model.resize_token_embeddings(tokens, mean_resizing=False)
    if before is not None and model.get_output_embeddings() in layers_with_rows(model):
        model.get_output_embeddings().bias.data[rows:] = before.data.float().mean().to(before.dtype)
    return tokens


def layers_with_rows(model: PreTrainedModel) -> list[Any]:
    """The layers that hold a row for each token.

    These are the embeddings; in Gemma 3n and 4, a second embedding, which feeds every layer; and the output head,
    unless it shares its weight with the embeddings.
    """
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    layers: list[Any] = [embeddings]
    if getattr(model.config.get_text_config(), "hidden_size_per_layer_input", 0):
        of_layers = model.get_per_layer_input_embeddings()
        if len(of_layers.weight) >= len(embeddings.weight):  # else the last ids have no row there
            layers.append(of_layers)
    return layers if head is None or head.weight is embeddings.weight else [*layers, head]


@torch.no_grad()
def initialise_rows(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    token_ids: dict[str, int],
    seed: int,
    type_words: dict[str, str] | None = None,
) -> None:
    """Set each new row, in all layers with rows, to the mean embedding of the words that describe it, plus noise.

    ``type_words`` maps inferred step types to such words. The noise is drawn with ``seed``.
    """
    describing = {**(type_words or {}), **DESCRIBING_WORDS}
    if not token_ids:
        return
    generator = torch.Generator().manual_seed(seed)
    old = torch.ones(len(tokenizer), dtype=torch.bool)
    old[[row for row in token_ids.values() if row < len(old)]] = False
    for weight in (layer.weight for layer in layers_with_rows(model)):
        scale = INIT_NOISE * weight[: len(old)][old.to(weight.device)].float().std()
        for name, row in token_ids.items():
            type_ = name[1:-1].rpartition("_")[0]
            words = tokenizer.encode(" " + describing.get(type_, type_), add_special_tokens=False)
            noise = torch.randn(weight.shape[1], generator=generator).to(weight.device) * scale
            weight[row] = (weight[words].float().mean(0) + noise).to(weight.dtype)
