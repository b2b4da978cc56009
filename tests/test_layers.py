"""Imports run one way: records → nouns → stages → command line; and only what needs torch imports it."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "memreason"

LAYERS = [
    {
        "terminal",
        "errors",
        "endings",
        "locks",
        "reading",
        "neighbours",
        "thoughts",
        "folders",
        "on_disk",
        "allocator",
        "packed_weights",
        "fused_layers",
        "attention_masks",
        "devices",
    },
    {"processes", "data_files"},
    {"records"},
    {"prompt_templates"},
    {"planning_tokens"},
    {"calculator", "latex", "math_notation", "math_program", "math_units", "math_worker", "answer_marks"},
    {"answers_number"},
    {"answers_math", "answers_choice"},
    {"config", "answers", "tasks", "recipes"},
    {"variants", "demonstrations", "training_options", "data_options"},
    {"manifest"},
    {"examples"},
    {"sharding"},
    {
        "training_config",
        "command_line",
        "base_models",
        "base_checks",
        "adapter_files",
        "dtypes",
        "token_rows",
        "lora_layers",
        "lora_targets",
        "document_attention",
        "head_loss",
        "adapters",
        "sparse_attention",
        "verdicts",
        "batches",
        "show",
        "calculator_decoding",
        "guesses",
        "agreement",
        "slot_attention",
        "continuous_batching",
        "generation_backends",
        "openvino_engine",
    },
    {"training_checkpoints"},
    {"model", "run_folder"},
    {"llm"},
    {"own_decoding"},
    {"generate", "training_pass", "outlook", "run_checks", "task_table", "score", "label"},
    {"trainer", "evaluate", "reasoner"},
    {"step_types"},
    {"train", "benchmark", "as_trained"},
    {"cli_help"},
    {"cli"},
    {"__main__", "__init__"},
]
TORCH_FREE = {"terminal", "errors", "endings", "locks", "reading", "data_files", "allocator", "records",
              "prompt_templates",
              "planning_tokens", "manifest", "config", "variants",
              "demonstrations", "command_line", "calculator", "latex", "math_notation", "math_program", "math_units",
              "math_worker", "answer_marks", "answers_number", "answers_math", "answers_choice",
              "answers", "tasks", "verdicts", "show", "task_table", "score", "cli", "cli_help", "folders", "llm",
              "label", "thoughts", "examples", "processes", "on_disk", "devices",
              "recipes", "training_options", "data_options"}  # fmt: skip


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


FILES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_imports_only_from_layers_below_its_own_or_its_own(path: Path) -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    module = module_of(path)
    assert module in level, f"put {module} into a layer"
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "memreason" and len(parts) > 1 and parts[1] in level:
            assert level[parts[1]] <= level[module], f"{module} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_what_needs_torch_imports_it(path: Path) -> None:
    if module_of(path) in TORCH_FREE:
        assert not {name for name in imported(path, top_level_only=True) if name.split(".")[0] in ("torch", "peft")}


def test_modules_and_functions_stay_short() -> None:
    for path in FILES:
        text = path.read_text()
        assert text.count("\n") <= 330, f"{path.name} is long; split it"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno <= 70, f"{path.name}:{node.name} is long"
