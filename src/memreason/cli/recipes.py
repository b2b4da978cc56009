"""Recipes: YAML files of options, those that come with the package found by name, and read with the line of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from os.path import isfile
from pathlib import Path

import yaml

from memreason.errors import UserError, did_you_mean

RECIPES = Path(__file__).parents[1] / "recipes"
"""The recipes that come with the package."""
_MOST_NODES = 100_000
_NODE_LENGTH = 1000
"""So many characters of a text count as one value more."""
_NULL, _MAP = "tag:yaml.org,2002:null", "tag:yaml.org,2002:map"


def recipe_names() -> list[str]:
    """What `--config` takes without a file of one's own."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def find_recipe(name: str) -> Path:
    """The file that `--config name` means: one of that name, else the recipe that comes with the package."""
    return RECIPES / f"{name}.yaml" if name in recipe_names() and not isfile(name) else Path(name)


def read_recipe(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(file:line, name, values) of each option, values as they would stand on the command line; none where it is null.

    Scalars are taken as they are written (YAML itself would read `no` as False, and `1e-3` as a text). Raises UserError
    where the file cannot be read, is no mapping of names to values, or has a name twice, of which YAML would take the
    last.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        document = yaml.compose(text, yaml.SafeLoader)
    except FileNotFoundError as error:
        ours = recipe_names()
        hint = f"; say --config {path.stem}" if path.stem in ours else did_you_mean(path.stem, ours)
        raise UserError(
            f"--config {path}: {error.strerror}, and no recipe that comes along has this name ({', '.join(ours)}){hint}"
        ) from error
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"--config {path}: not UTF-8 text ({error}); save it as UTF-8") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(f"--config {path}: not valid YAML: {error}") from error
    if not isinstance(document, yaml.MappingNode):
        raise UserError(f"--config {path}: expected a mapping of option names to values, one `name: value` a line")
    _check_size(path, document)
    _check_once(path, document)
    for key, value in document.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"{place}: expected the name of an option before the colon")
        yield place, key.value, _values(place, key.value, value)


def _values(place: str, name: str, node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.ScalarNode):
        return [] if node.tag == _NULL else [node.value]
    if isinstance(node, yaml.SequenceNode):
        if not all(isinstance(one, yaml.ScalarNode) for one in node.value):
            raise UserError(f"{place}: option {name}: a list of texts or numbers is expected, not of lists or mappings")
        return [one.value for one in node.value]
    try:
        return [json.dumps(yaml.SafeLoader("").construct_document(node))]
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{place}: option {name}: a mapping that cannot be read: {error}") from error


def _check_size(path: Path, document: yaml.Node) -> None:
    """Raise UserError where the document, with every alias written out, is larger than any recipe, or endless."""
    left, nodes = _MOST_NODES, [document]
    while nodes:
        node = nodes.pop()
        left -= 1 + (len(node.value) // _NODE_LENGTH if isinstance(node, yaml.ScalarNode) else 0)
        if left < 0:
            raise UserError(
                f"--config {path}: holds more than {_MOST_NODES:,} values (an alias stands for all that it names); "
                "write out those that are meant"
            )
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            nodes += [part for pair in node.value for part in pair]


def _check_once(path: Path, node: yaml.Node) -> None:
    """Raise UserError where a mapping has a name twice; also one within another."""
    first: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if first.setdefault(str(key.value), line) != line:
            raise UserError(
                f"{path}:{line}: {key.value} stands there twice (first in line {first[str(key.value)]}); leave one out"
            )
        if isinstance(value, yaml.MappingNode):
            _check_once(path, value)
