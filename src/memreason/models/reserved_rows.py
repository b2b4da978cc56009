"""Planning tokens in rows of the vocabulary that a base model has and never uses, so that it does not grow.

Such rows are of two kinds: padding, rows of the embedding matrix beyond the tokenizer's tokens (Qwen2.5 has 271), which
new tokens get by themselves; and tokens that the model's authors reserved, such as Llama 3's
`<|reserved_special_token_5|>`, which get our name at the same id.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedTokenizerBase

from memreason.errors import UserError
from memreason.models.weights import load_tokenizer, loading
from memreason.runtime.files import write_json
from memreason.runtime.reading import read_object

RESERVED = {
    "Llama 3 and 4": r"<\|(\w+_)?reserved_special_token_\d+\|>",
    "Gemma": r"<unused\d+>",
    "Mistral": r"\[control_\d+\]|<SPECIAL_\d+>",
    "Phi": r"<\|(placeholder|dummy_?)\d+\|>",
    "gpt-oss": r"<\|reserved_\d+\|>",
    "DeepSeek": r"<｜place▁holder▁no▁\d+｜>",
    "Qwen 1": r"<\|extra_\d+\|>",
    "Falcon": r">>UNUSED_\d+<<",
    "InternLM": r"\[UNUSED_TOKEN_\d+\]",
}
"""Models → how the tokens are named that their tokenizers reserve."""
_RESERVED = re.compile("|".join(RESERVED.values()))
_TOKENIZER, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_WITHOUT = "leave out --reuse_reserved_tokens, and the vocabulary grows instead"


def rows_of(path: str) -> int:
    """The number of rows of the embedding matrix of the model in ``path``, by its config."""
    with loading(path, "causal language model"):
        return int(AutoConfig.from_pretrained(path, trust_remote_code=False).get_text_config().vocab_size)


def reserved_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Name → id of the tokens that are reserved and used for nothing, sorted by id.

    A token is used if the tokenizer has it as its pad token or in another role, puts it around texts, or has it in its
    chat template.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return {}
    roles = [str(token) for token in tokenizer.special_tokens_map.values() if not isinstance(token, list)]
    around = json.loads(backend.to_str())["post_processor"]
    used = f"{roles}{json.dumps(around, ensure_ascii=False)}{tokenizer.chat_template}"
    found = {name: id for name, id in tokenizer.get_vocab().items() if _RESERVED.fullmatch(name) and name not in used}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def rename_reserved(
    tokenizer: PreTrainedTokenizerBase, names: list[str], rows: int
) -> tuple[PreTrainedTokenizerBase, dict[str, str]]:
    """A tokenizer in which reserved tokens have as many of ``names``, the first ones, as do not fit into the padding.

    The others can then be added, and a matrix of ``rows`` rows has a row for each. Also returns what was renamed: our
    name → the name that the base model has. Raises UserError where there are too few unused rows, or where the
    tokenizer does not take other names.
    """
    padding = max(0, rows - len(tokenizer))
    spare = reserved_tokens(tokenizer)
    missing = max(0, len(names) - padding)
    if missing > len(spare):
        raise UserError(
            f"--reuse_reserved_tokens: the planning tokens are {len(names)}, and the base model has "
            f"{padding + len(spare)} unused rows ({len(spare)} reserved tokens, and {padding} rows of its embedding "
            f"beyond its tokens); lower --num_general_prefix_tokens or --num_special_prefix_tokens, or {_WITHOUT}"
        )
    reused = dict(zip(names, list(spare)[:missing], strict=False))
    if reused:
        tokenizer = _renamed(tokenizer, {spare[old]: name for name, old in reused.items()})
    return tokenizer, reused


def _renamed(tokenizer: PreTrainedTokenizerBase, names: Mapping[int, str]) -> PreTrainedTokenizerBase:
    """The tokenizer with other names for the tokens of some ids: id → new name.

    It is saved, changed in its files and loaded again, as a checkpoint's tokenizer is: transformers has no other way to
    rename a token.
    """
    old = {name: names[id] for name, id in tokenizer.get_vocab().items() if id in names}
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        if not (Path(folder) / _TOKENIZER).is_file():
            raise UserError(f"--reuse_reserved_tokens: the base model's tokenizer is not a fast one; {_WITHOUT}")
        content = read_object(Path(folder) / _TOKENIZER)
        _rename_in_vocabulary(content, names, old)
        write_json(Path(folder) / _TOKENIZER, content)
        write_json(Path(folder) / _CONFIG, _without(read_object(Path(folder) / _CONFIG), old))
        changed = load_tokenizer(folder)
    expected = {**{name: id for name, id in tokenizer.get_vocab().items() if name not in old},
                **{name: id for id, name in names.items()}}  # fmt: skip
    kept = changed.decode(list(names), skip_special_tokens=True)
    if changed.get_vocab() != expected or not all(name in kept for name in names.values()):
        raise UserError(f"--reuse_reserved_tokens: the base model's tokenizer does not take other names; {_WITHOUT}")
    return changed


def _rename_in_vocabulary(content: dict[str, Any], names: Mapping[int, str], old: Mapping[str, str]) -> None:
    """Change the names in a tokenizer.json: among its added tokens, and in its model's vocabulary if they are there."""
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    others = [token for token in content["added_tokens"] if token["id"] not in names]
    ours = [{"id": id, "content": name, **added} for id, name in names.items()]
    content["added_tokens"] = sorted([*others, *ours], key=lambda token: token["id"])
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, dict):
        content["model"]["vocab"] = {old.get(name, name): id for name, id in vocabulary.items()}
    else:  # of a unigram model: [name, score]
        content["model"]["vocab"] = [[old.get(name, name), score] for name, score in vocabulary]


def _without(value: Any, old: Mapping[str, str]) -> Any:
    """What a tokenizer_config.json says, without the tokens ``old``: it would add them to the vocabulary again."""
    if isinstance(value, dict):
        return {key: _without(item, old) for key, item in value.items() if not _names(item, old)}
    return [_without(item, old) for item in value if not _names(item, old)] if isinstance(value, list) else value


def _names(value: Any, old: Mapping[str, str]) -> bool:
    return (value.get("content") if isinstance(value, dict) else value) in old if not isinstance(value, list) else False
