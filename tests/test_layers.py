"""Imports run one way, from the records up to the command line; and only what needs torch imports it.

The graph is drawn file by file, with imports inside functions and those for type checking only.
"""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "memreason"

LAYERS = [
    {"errors", "records"},
    {"runtime", "answers", "planning_tokens"},
    {"config", "kernels"},
    {"tasks", "models"},
    {"llm", "step_types", "generation"},
    {"evaluation", "reasoner", "compare"},
    {"label", "training", "export", "explain"},
    {"benchmark", "serving", "study"},
    {"cli"},
    {"__main__", "__init__"},
]
"""Folders and files at the top; none imports from a line below its own, and within a line there is no circle."""
TORCH_FREE = ("answers", "cli", "compare", "config", "errors", "label", "planning_tokens", "records", "runtime",
              "tasks", "llm/base", "evaluation/files", "evaluation/generations", "evaluation/judge",
              "explain/judges/agreement", "explain/judges/base", "explain/judges/coarse", "explain/judges/config",
              "explain/judges/facts", "explain/judges/llm", "explain/judges/registry", "explain/judges/run",
              "evaluation/metrics", "evaluation/older_formats", "evaluation/question_index", "evaluation/results",
              "evaluation/score", "evaluation/statistics", "export/base", "export/config", "export/model_card",
              "export/repository", "export/run_record", "export/targets", "models/manifest", "serving/browse",
              "serving/run", "serving/viewer", "study", "training/dataset")  # fmt: skip
NEED_TORCH = "runtime/cpu_threads"


def name_of(path: Path) -> str:
    """errors, runtime/files, runtime/__init__."""
    return path.relative_to(SOURCE).with_suffix("").as_posix()


FILES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room(name: str) -> str:
    return name.split("/")[0]


def target(module: str) -> str | None:
    """The file that a dotted name leads to."""
    name = module.removeprefix("memreason").lstrip(".").replace(".", "/")
    return next((found for found in (name, f"{name}/__init__".lstrip("/")) if found in FILES), None)


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text())


@cache
def imported(name: str, top_level_only: bool = False) -> frozenset[str]:
    """Dotted names of all modules that a file imports, ours and others'."""
    found: set[str] = set()
    for node in tree_of(name).body if top_level_only else ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{name} imports relatively"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if target(full) and full.startswith("memreason") else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return frozenset(found)


@cache
def ours(name: str) -> frozenset[str]:
    modules = {module for module in imported(name) if module.split(".")[0] == "memreason"}
    assert all(target(module) for module in modules), f"{name} imports what is not there"
    return frozenset(str(target(module)) for module in modules)


def test_every_folder_has_a_layer_and_every_layer_is_there() -> None:
    assert {each for layer in LAYERS for each in layer} == {room(name) for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_only_from_its_own_layer_or_those_below(name: str) -> None:
    level = {each: number for number, layer in enumerate(LAYERS) for each in layer}
    for other in ours(name):
        assert level[room(other)] <= level[room(name)], f"{name} imports {other}, which stands above it"


def test_no_files_and_no_folders_import_each_other_in_a_circle() -> None:
    folders: dict[str, set[str]] = {}
    for name in FILES:
        folders.setdefault(room(name), set()).update(room(other) for other in ours(name) if room(other) != room(name))
    for graph in ({name: ours(name) - {name} for name in FILES}, folders):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            pytest.fail(" → ".join(reversed(error.args[1])))


@pytest.mark.parametrize("name", FILES)
def test_only_what_needs_torch_imports_it(name: str) -> None:
    if name.startswith(TORCH_FREE) and name != NEED_TORCH:
        assert not {module for module in imported(name, top_level_only=True) if module.startswith(("torch", "peft"))}


def test_modules_and_functions_stay_short() -> None:
    for name in FILES:
        text = FILES[name].read_text()
        assert text.count("\n") <= 350, f"{name} is long; split it"
        for node in ast.walk(tree_of(name)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{name}:{node.name} is long"
                arguments = node.args
                count = len([*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs])
                assert count - (arguments.args[:1] != [] and arguments.args[0].arg in ("self", "cls")) <= 7, (
                    f"{name}:{node.name} has {count} parameters"
                )
