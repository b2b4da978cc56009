"""A folder that transformers 5 wrote, made readable for programs that stand on transformers 4.

Without this they fail on the tokenizer's class, which is new in transformers 5, and silently take another base for the
rotation of positions, because transformers 5 writes it under another name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memreason.runtime.files import read_json, write_json

_OF_THE_LOADING = ("is_local", "local_files_only", "name_or_path", "special_tokens_map_file")
"""What transformers writes about how it loaded a tokenizer; it means nothing elsewhere."""


def make_readable(folder: Path) -> None:
    """Add the older names to the configuration of the model and of the tokenizer in ``folder``; the newer ones stay."""
    config = read_json(folder / "config.json")
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        _name_as_before(part)
    write_json(folder / "config.json", config)
    make_tokenizer_readable(folder)


def make_tokenizer_readable(folder: Path) -> None:
    """The same for the tokenizer in ``folder`` alone; what says how it was loaded here is taken away."""
    options = read_json(folder / "tokenizer_config.json")
    options = {name: value for name, value in options.items() if name not in _OF_THE_LOADING}
    if options.get("tokenizer_class") == "TokenizersBackend":
        options["tokenizer_class"] = "PreTrainedTokenizerFast"  # its name before; transformers 5 knows both
    write_json(folder / "tokenizer_config.json", options)


def _name_as_before(config: dict[str, Any]) -> None:
    if "dtype" in config:
        config["torch_dtype"] = config["dtype"]
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:  # else each kind of layer has its own
        config["rope_theta"] = rope["rope_theta"]
        scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
        config["rope_scaling"] = None if scaling.get("rope_type", "default") == "default" else scaling
