"""Recipes: YAML files of options. Finds the package's recipes by name, and reads each option with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os.path import isfile
from pathlib import Path

import yaml

from memreason.errors import UserError, did_you_mean

RECIPES = Path(__file__).parents[1] / "recipes"
"""The recipes that come with the package."""
_MOST_NODES = 100_000
"""The most values in a recipe."""
_NODE_LENGTH = 1000
"""A text counts as one more value for each so many characters."""
_NULL, _MAP = "tag:yaml.org,2002:null", "tag:yaml.org,2002:map"


def recipe_names(command: str) -> list[str]:
    """The names of the package's recipes for ``command``, which the first line of a recipe names."""
    return sorted(
        path.stem
        for path in RECIPES.glob("*.yaml")
        if f"memreason {command} " in path.read_text(encoding="utf-8").partition("\n")[0]
    )


def find_recipe(name: str, ours: Sequence[str]) -> Path:
    """The file that `--config name`, or `memreason study name`, means: a file of that name if there is one, else the
    package's recipe.

    ``ours`` has the names of those recipes that are for the command.
    """
    return RECIPES / f"{name}.yaml" if name in ours and not isfile(name) else Path(name)


def read_recipe(path: Path, ours: Sequence[str] = ()) -> Iterator[tuple[str, str, list[str]]]:
    """(file:line, name, values) of each option, with the values as on the command line; no values for null.

    Scalars are taken as they are written (YAML itself would read `no` as False, and `1e-3` as a text). Raises UserError
    as `compose` does.
    """
    document = compose(path, "--config", ours)
    yield from options_of(path, document)


def compose(path: Path, flag: str, ours: Sequence[str] = ()) -> yaml.MappingNode:
    """The recipe as YAML nodes, which know their lines.

    Raises UserError if the file cannot be read, if it is not a mapping of names to values, and if it has a name twice
    (YAML would silently use the last). Messages begin with ``flag``; the one about a missing file names the package's
    recipes for the command, ``ours``.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = yaml.compose(text, yaml.SafeLoader)
    except FileNotFoundError as error:
        hint = f"; say {flag} {path.stem}" if path.stem in ours else did_you_mean(path.stem, ours)
        others = f", and the package has no recipe of this name ({', '.join(ours)}){hint}" if ours else ""
        raise UserError(f"{flag} {path}: {error.strerror}{others}") from error
    except OSError as error:
        raise UserError(f"{flag} {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{flag} {path}: not UTF-8 text ({error}); save it as UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"{flag} {path}: not valid YAML: {error}") from error
    if not isinstance(document, yaml.MappingNode):
        raise UserError(f"{flag} {path}: expected a mapping of names to values, a line `name: value` for each")
    _check_size(path, document, flag)
    _check_once(path, document)
    return document


def options_of(path: Path, node: yaml.MappingNode) -> Iterator[tuple[str, str, list[str]]]:
    """(file:line, name, values) of each option in a mapping of the recipe, as in `read_recipe`."""
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"{place}: expected the name of an option before the colon")
        yield place, key.value, _values(place, key.value, value)


def _values(place: str, name: str, node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.ScalarNode):
        return [] if node.tag == _NULL else [node.value]
    if isinstance(node, yaml.SequenceNode):
        if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
            raise UserError(f"{place}: option {name}: a list of texts or numbers is expected, not of lists or mappings")
        return [item.value for item in node.value]
    try:
        return [json.dumps(yaml.SafeLoader("").construct_document(node))]
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{place}: option {name}: a mapping that cannot be read: {error}") from error


def _check_size(path: Path, document: yaml.Node, flag: str) -> None:
    """Raise UserError if the document is too large after every alias is replaced by its content, or is endless."""
    left, nodes = _MOST_NODES, [document]
    while nodes:
        node = nodes.pop()
        left -= 1 + (len(node.value) // _NODE_LENGTH if isinstance(node, yaml.ScalarNode) else 0)
        if left < 0:
            raise UserError(
                f"{flag} {path}: holds more than {_MOST_NODES:,} values (an alias counts as all values that it "
                "names); write the options without aliases"
            )
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]


def _check_once(path: Path, node: yaml.Node) -> None:
    """Raise UserError if a mapping, or a mapping in it, has a name twice."""
    first: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if first.setdefault(str(key.value), line) != line:
            raise UserError(
                f"{path}:{line}: {key.value} stands there twice (first in line {first[str(key.value)]}); leave one out"
            )
        if isinstance(value, yaml.MappingNode):
            _check_once(path, value)
