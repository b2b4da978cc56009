"""A hook of mkdocs (see mkdocs.yml): a page for each folder of the package, made from its docstrings."""

import ast
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

SOURCE = Path(__file__).parents[1] / "src" / "memreason"
FOLDER = "reference/package"


def pages() -> dict[str, str]:
    """The name of each folder of the package → the text of its page, from the files that are there."""
    rooms: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if len(parts) > 1 and parts[-1] != "__init__":
            rooms.setdefault(parts[0], []).append(".".join(parts))
    return {room: _page(room, modules) for room, modules in rooms.items()}


def _page(room: str, modules: list[str]) -> str:
    what = ast.get_docstring(ast.parse((SOURCE / room / "__init__.py").read_text())) or ""
    return "\n\n".join([f"# memreason.{room}", what, *(f"::: memreason.{module}" for module in modules)]) + "\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages into the navigation, behind the hand-written page on Python."""
    (reference,) = (section["Reference"] for section in config.nav or [] if "Reference" in section)
    place = next(i for i, page in enumerate(reference) if "Python" in page) + 1
    reference.insert(place, {"Python, file by file": [{name: f"{FOLDER}/{name}.md"} for name in pages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, which are in no folder."""
    for name, text in pages().items():
        files.append(File.generated(config, f"{FOLDER}/{name}.md", content=text))
    return files
