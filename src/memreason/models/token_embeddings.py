"""New tokens in the tokenizer, and their rows in the embedding matrices.

Which rows are new is decided by token id, never by the number of rows: Qwen2.5's matrices have more
rows than its tokenizer has tokens, so its new tokens land on rows that exist already.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AddedToken, PreTrainedModel, PreTrainedTokenizerBase

from memreason.errors import UserError
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
"""New rows start from the mean embedding of these words; a type without an entry, from its name."""
INIT_NOISE = 0.1
"""Standard deviation of the noise on a new row, as a share of the matrix's own."""


def add_tokens(tokenizer: PreTrainedTokenizerBase, layout: PlanningTokens) -> dict[str, int]:
    """Add the layout's tokens and return name → id.

    They are ordinary, not "special" tokens: decoding with `skip_special_tokens` must keep them.
    Raises UserError where the tokenizer already has one of the names.
    """
    if (layout.num_general_prefix_tokens, layout.num_special_prefix_tokens) == (0, 0):
        return {}
    vocabulary = tokenizer.get_vocab()
    taken = [name for name in layout.names if name in vocabulary]
    if taken:
        raise UserError(
            f"the base model's tokenizer already holds {', '.join(taken)}: it seems to be a model trained with "
            "planning tokens; start from its base model, or give this one other token names"
        )
    tokenizer.add_tokens([AddedToken(name, normalized=False, special=False) for name in layout.names])
    return {name: tokenizer.convert_tokens_to_ids(name) for name in layout.names}


def resize(model: PreTrainedModel, tokens: int) -> int:
    """Make room for ``tokens`` ids, never shrinking; returns the number of rows.

    Where the output head has a bias, the new ids' is what whoever loads a checkpoint by transformers' usual resizing
    gets: the mean of the others, or zero in a head that shares its weight with the embeddings.
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
    """The layers that hold a row for each token: the embeddings; those that feed every layer besides (Gemma 3n and 4);
    and the output head, where its weight is its own."""
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    layers: list[Any] = [embeddings]
    if getattr(model.config.get_text_config(), "hidden_size_per_layer_input", 0):
        of_layers = model.get_per_layer_input_embeddings()
        if len(of_layers.weight) >= len(embeddings.weight):  # else the last ids have none there
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
    """Start each new row, wherever tokens have rows, near the words that describe it.

    ``type_words`` describe inferred step types.
    """
    describing = {**(type_words or {}), **DESCRIBING_WORDS}
    if not token_ids:
        return
    generator = torch.Generator().manual_seed(seed)
    first_new = min(token_ids.values())
    for weight in (layer.weight for layer in layers_with_rows(model)):
        scale = INIT_NOISE * weight[:first_new].float().std()
        for name, row in token_ids.items():
            type_ = name[1:-1].rpartition("_")[0]
            words = tokenizer.encode(" " + describing.get(type_, type_), add_special_tokens=False)
            noise = torch.randn(weight.shape[1], generator=generator).to(weight.device) * scale
            weight[row] = (weight[words].float().mean(0) + noise).to(weight.dtype)
