"""A tokenizer of transformers as the vocabulary of a GGUF file.

llama.cpp has its own tokenizers, and a GGUF file only names one of them. Two are used here: `gpt2` (byte-level BPE with
merges) and `llama` (BPE over characters, by scores, as sentencepiece does it). `gpt2` cuts texts by regular expressions
that llama.cpp knows by a name, `pre`. That name is chosen here by comparing what tokenizer.json itself says, not by
the name of the model: the same vocabulary can be used with another way of cutting. What does not fit is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from gguf import GGUFWriter, TokenType
from transformers import PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.planning_tokens.layout import opening_ids

_SPACE = "▁"
"""What stands for a space in the texts of sentencepiece's tokens."""
_ENGLISH = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = _ENGLISH + r"|[^\r\n\p{L}\p{N}]?\p{L}+"
_WITH_MARKS = _ENGLISH + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
_LINES = r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_REST = r"| ?[^\s\p{L}\p{N}]+" + _LINES
_BYTE_LEVEL, _DIGIT = "ByteLevel", "Digit"

_SPACE_NOTE = (
    "llama.cpp puts a space before a text that follows a planning token: where it shall continue steps given as text, "
    "write them without that space."
)
_NFC_NOTE = "llama.cpp does not compose accents, as the model's tokenizer does (NFC): give it composed text."

PRE_TOKENIZERS = {
    ((_BYTE_LEVEL,), False): "gpt-2",
    ((_DIGIT, _BYTE_LEVEL), False): "smollm",
    ((_WORDS + r"|\p{N}" + _REST,), False): "qwen2",
    ((_WITH_MARKS + r"|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+" + _LINES,), False): "qwen35",
    ((_WORDS + r"|\p{N}{1,3}" + _REST,), True): "llama-bpe",
    ((_WORDS + r"|\p{N}{1,3}" + _REST,), False): "smaug-bpe",
}
"""(how a text is cut, whether whole words are looked up before merging) → llama.cpp's name for it.

Left out are those whose expressions llama.cpp only approximates, such as `tekken`.
"""


@dataclass(frozen=True)
class Vocabulary:
    """The tokenizer part of a GGUF file.

    ``model`` and ``pre`` are llama.cpp's names of the tokenizer and of its way of cutting texts. ``tokens`` and
    ``types`` have one entry for each row of the embeddings. ``merges`` belong to `gpt2`, ``scores`` to `llama`.
    ``special`` has the ids of special tokens by their names in GGUF. ``notes`` say in what the two tokenizers differ.
    """

    model: str
    pre: str
    tokens: list[str]
    types: list[TokenType]
    special: dict[str, int]
    opens: bool
    merges: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    space_first: bool = False
    chat_template: str | None = None
    notes: tuple[str, ...] = ()

    def write(self, writer: GGUFWriter) -> None:
        """Add the fields of the tokenizer to a GGUF file."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.pre)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.types)
        if self.scores:
            writer.add_token_scores(self.scores)
            writer.add_add_space_prefix(self.space_first)
        if self.merges:
            writer.add_token_merges(self.merges)
        for name, id in self.special.items():
            getattr(writer, f"add_{name}_token_id")(id)
        writer.add_add_bos_token(self.opens)
        writer.add_add_eos_token(False)
        if self.chat_template:
            writer.add_chat_template(self.chat_template)


def vocabulary(
    tokenizer: PreTrainedTokenizerBase, rows: int, planning_ids: set[int], end_id: int, chat: bool, place: object
) -> Vocabulary:
    """The vocabulary for a model with ``rows`` embeddings; ids without a token become unused tokens.

    ``planning_ids`` are written as tokens that are always recognised and printed; ``end_id`` ends an answer; ``chat``
    says whether prompts are in the base model's own chat template. Raises UserError, which begins with ``place``, for a
    tokenizer that llama.cpp has no exact counterpart of.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise _refused(place, "it is not one of the tokenizers library (no tokenizer.json)")
    parts: dict[str, Any] = json.loads(backend.to_str())
    model = parts["model"]
    if model["type"] != "BPE" or any(model.get(one) for one in ("continuing_subword_prefix", "end_of_word_suffix")):
        raise _refused(place, f"its model is {model['type']}, not plain BPE")
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    by_scores = model.get("byte_fallback", False)
    tokens, types = _tokens(parts, rows, planning_ids, by_scores)
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "unk", "pad")} | {"eos": end_id}
    shared: dict[str, Any] = dict(
        tokens=tokens, types=types, opens=_opens(tokenizer, place),
        special={name: id for name, id in special.items() if id is not None},
    )  # fmt: skip
    if by_scores:
        spaces = _spaces(parts, place)
        # Where only the first text gets a space, none is put after the token that a chat begins with.
        space_first = spaces == "always" or (spaces == "first" and not chat)
        shared["notes"] = (_SPACE_NOTE,) if space_first else ()
        shared["chat_template"] = _template(tokenizer, space_first)
        scores = _scores(model["vocab"], merges, tokens, place)
        return Vocabulary("llama", "default", scores=scores, space_first=space_first, **shared)
    pre, shared["notes"] = _pre(parts, place)
    merged = [" ".join(merge) for merge in merges]
    return Vocabulary("gpt2", pre, merges=merged, chat_template=_template(tokenizer, False), **shared)


def _refused(place: object, why: str) -> UserError:
    return UserError(
        f"{place}: llama.cpp has no tokenizer that is exactly this one: {why}. Export with --to merged, and see "
        "whether llama.cpp's convert_hf_to_gguf.py takes that folder"
    )


def _tokens(
    parts: dict[str, Any], rows: int, planning_ids: set[int], by_scores: bool
) -> tuple[list[str], list[TokenType]]:
    """The text and the type of every row."""
    known = {id: (text, TokenType.NORMAL) for text, id in parts["model"]["vocab"].items()}
    if by_scores:
        of_bytes = {f"<0x{byte:02X}>" for byte in range(256)}
        known |= {id: (text, TokenType.BYTE) for text, id in parts["model"]["vocab"].items() if text in of_bytes}
    for token in parts["added_tokens"]:
        # llama.cpp looks for these in the text before spaces are replaced.
        text = token["content"].replace(_SPACE, " ") if by_scores else token["content"]
        shown = token["id"] in planning_ids or not token["special"]
        known[token["id"]] = (text, TokenType.USER_DEFINED if shown else TokenType.CONTROL)
    unknown = parts["model"].get("unk_token")
    if by_scores and unknown in parts["model"]["vocab"]:
        known[parts["model"]["vocab"][unknown]] = (unknown, TokenType.UNKNOWN)
    unused = ((f"[UNUSED{id}]", TokenType.UNUSED) for id in range(rows))
    both = [known.get(id, other) for id, other in enumerate(unused)]
    return [text for text, _ in both], [type_ for _, type_ in both]


def _opens(tokenizer: PreTrainedTokenizerBase, place: object) -> bool:
    """Whether the begin token stands before every text."""
    opening = opening_ids(tokenizer)
    if opening not in ([], [tokenizer.bos_token_id]):
        raise _refused(place, f"it puts the ids {opening} before every text")
    return bool(opening)


def _template(tokenizer: PreTrainedTokenizerBase, space_first: bool) -> str | None:
    """The chat template; without the space after the begin token, where llama.cpp puts one by itself."""
    template = tokenizer.chat_template
    template = template.get("default") if isinstance(template, dict) else template
    if template and space_first and tokenizer.bos_token:
        return template.replace(json.dumps(f"{tokenizer.bos_token} "), json.dumps(tokenizer.bos_token))
    return template


# ---- byte-level BPE: how texts are cut ---------------------------------------------------------


def _pre(parts: dict[str, Any], place: object) -> tuple[str, tuple[str, ...]]:
    """llama.cpp's name for the way in which this tokenizer cuts texts, and what the user should know of it."""
    normalizer = (parts["normalizer"] or {}).get("type")
    if normalizer not in (None, "NFC"):
        raise _refused(place, f"it changes texts beforehand ({normalizer})")
    cuts = tuple(_cuts(parts["pre_tokenizer"], place))
    pre = PRE_TOKENIZERS.get((cuts, bool(parts["model"].get("ignore_merges"))))
    if pre is None:
        raise _refused(place, f"it cuts texts by {' and '.join(cuts)}")
    return pre, (_NFC_NOTE,) if normalizer else ()


def _cuts(cutter: dict[str, Any] | None, place: object) -> list[str]:
    if cutter is None:
        raise _refused(place, "it does not cut texts into words")
    match cutter:
        case {"type": "Sequence", "pretokenizers": inner}:
            return [cut for one in inner for cut in _cuts(one, place)]
        case {"type": "Digits", "individual_digits": True}:
            return [_DIGIT]
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": use_regex}:
            return [_BYTE_LEVEL] if use_regex else []
        case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert} if (
            behavior,
            invert,
        ) in (("Isolated", False), ("Removed", True)):
            return [_DIGIT if pattern == r"\p{N}" else pattern]
    raise _refused(place, f"it cuts texts by {json.dumps(cutter)}")


# ---- sentencepiece's BPE: scores ---------------------------------------------------------------


def _spaces(parts: dict[str, Any], place: object) -> str:
    """Before which texts a space is put: `always` (also after a special token), only the `first`, or `never`."""
    normalizer = parts["normalizer"]
    steps = normalizer["normalizers"] if normalizer and normalizer["type"] == "Sequence" else [normalizer]
    cutter = parts["pre_tokenizer"]
    match cutter:
        case {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False} if steps == [None]:
            return str(scheme)
        case None | {"type": "Split", "pattern": {"String": " "}}:
            kinds = [step and step["type"] for step in steps]
            if kinds in (["Prepend", "Replace"], ["Replace"]) and steps[-1]["content"] == _SPACE:
                return "always" if len(kinds) == 2 else "never"
    raise _refused(place, f"it treats spaces by {json.dumps([normalizer, cutter])}")


def _scores(vocab: dict[str, int], merges: list[tuple[str, ...]], tokens: list[str], place: object) -> list[float]:
    """A score for each token, by which llama.cpp merges in the order of ``merges``.

    llama.cpp merges any two neighbours whose joined text is a token, the highest score first, and of equal scores the
    leftmost. That is the same only where the merges of one token stand together (except for runs of spaces, which
    grow from the left in any case), and where every way to split a token is among its merges.
    """
    splits: dict[str, set[str]] = {}
    last: dict[str, int] = {}
    for number, (left, right) in enumerate(merges):
        splits.setdefault(left + right, set()).add(left)
        last[left + right] = number
    for text, known in splits.items():
        for at in range(1, len(text)):
            left, right = text[:at], text[at:]
            if left in vocab and right in vocab and left not in known:
                raise _refused(place, f"it does not merge {left!r} and {right!r}, though {text!r} is a token")
    if lacking := [byte for byte in range(256) if f"<0x{byte:02X}>" not in vocab]:
        raise _refused(place, f"it has no tokens for {len(lacking)} of the 256 bytes")
    rank: dict[str, int] = {}
    end, together = -1, 0
    for number, (left, right) in enumerate(merges):
        text = left + right
        if number > end:
            together += 1
        elif text not in rank and set(text) != {_SPACE}:
            raise _refused(place, f"the merges into {text!r} stand between those into another token")
        rank.setdefault(text, together)
        end = max(end, last[text])
    return [-float(rank.get(text, together + 1)) for text in tokens]
