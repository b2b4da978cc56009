"""What the README and the pages show runs: every block of code does, or says above itself why not.

A block of `sh` is run line by line, a block of `python` as it stands, each page from its top to its end in a folder of
its own, on a tiny model (`smaller`). `json` below `<!-- file: NAME -->` is written to that file first. `text` is what
a program printed, or a listing. `<!-- not run: why -->` above a block leaves it out; its flags are checked
all the same.
"""

import io
import json
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from memreason.cli.commands import COMMANDS
from memreason.cli.main import main

ROOT = Path(__file__).parents[1]
MADE = {"commands.md", "formats.md"}
"""Pages that a program writes."""
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.name not in MADE
}
FEW = ("--num_train", "24", "--num_validation", "4", "--num_test", "4")
"""Of atlas, in the place of what the demo takes."""
MODELS = ("smollm2", "Qwen/Qwen2.5-0.5B")
SUBCOMMANDS = (["inspect"], ["convert"], ["fit"], ["show"])


class Block(NamedTuple):
    above: str
    language: str
    text: str

    @property
    def why_not(self) -> str | None:
        found = re.fullmatch(r"<!-- not run: (.+) -->", self.above)
        return found and found[1]


def blocks(page: str) -> list[Block]:
    return [Block(*parts) for parts in re.findall(r"^([^\n]*)\n```(\w*)\n(.*?)^```$", PAGES[page], re.M | re.S)]


def commands(text: str) -> list[list[str]]:
    """The words of each command of a block of `sh`, without comments."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


ON_PAGES = sorted(
    {
        shlex.join(words[words.index("memreason") + 1 :])
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for words in commands(block.text)
        if "memreason" in words
    }
)


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_one_that_is_run_or_says_why_not(page: str) -> None:
    assert PAGES[page].count("\n```") == 2 * len(blocks(page)), "a block that is not closed, or stands within another"
    for block in blocks(page):
        if block.language in ("json", "yaml"):
            assert block.above.startswith("<!-- file: "), block.text
        else:
            assert block.language in ("sh", "python", "text"), block.text
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page]):
        assert ((ROOT / page).parent / link).exists(), link


@pytest.mark.parametrize("line", ON_PAGES)
def test_each_command_has_the_flags_that_are_shown(line: str) -> None:
    words = shlex.split(line)
    assert words[0] in COMMANDS
    command = words[:2] if words[1:2] in SUBCOMMANDS else words[:1]
    page = io.StringIO()
    with redirect_stdout(page), suppress(SystemExit):
        main([*command, "--help"])
        if "--as_trained" in words:
            main(["train", "--help"])
    flags = {word for word in words if word.startswith("--")}
    assert all(flag in page.getvalue() or flag == "--config" for flag in flags), flags


def test_the_page_of_commands_is_what_they_print() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "commands.py"))
    assert {command.split()[0] for command in made["COMMANDS"]} == set(COMMANDS)
    assert made["PAGE"].read_text() == made["page"](), "run: python docs/commands.py"


def smaller(words: list[str], model: str) -> list[str]:
    """A command of a page as one on a tiny model and few questions; what stands last wins."""
    words = [model if word in MODELS else word for word in words]
    if words[0] == "train":
        words += ["--model_name_or_path", model, "--dtype", "float32", "--max_steps", "2", "--disable_tqdm", "True"]
        words += ["--overwrite_output_dir", "True"]
    if words[:2] == ["step-types", "fit"]:
        words += ["--model_name_or_path", model, "--dtype", "float32", "--num_types", "2", "--layer", "1"]
        words += ["--num_train", "8", "--output_dir", "runs/step-types/gsm8k/smollm2/k-means-5"]
    if "k-means" in words and words[0] == "train":
        words += ["--num_train", "8", "--step_types_path", "runs/step-types/gsm8k/smollm2/k-means-5"]
        words += ["--num_plan_types", "2"]
    if words[0] == "score" and "atlas" in words:
        words += FEW
    if words[0] == "evaluate":
        words += ["--show", "0"]
    return words


def write_data(folder: Path) -> None:
    """Small files in the forms of StrategyQA and GSM8K, and a file of one's own."""
    (folder / "data" / "agent").mkdir(parents=True)
    (folder / "data" / "gsm8k").mkdir()
    for split in ("train", "test"):
        solutions = [
            {
                "question": f"Is {i} a number of {split}?",
                "answer": str(i % 2 == 0),
                "cot_steps": [f"[rag]: A fact of {split} {i}.", "[reason]: So it is."],
            }
            for i in range(24)
        ]
        if split == "test":
            solutions[0]["question"] = "Would a pear sink in water?"
            solutions[1]["question"] = "Is Rome older than Paris?"
        (folder / "data" / "agent" / f"StrategyQA_{split}_clean.json").write_text(json.dumps(solutions))
        rows = [
            {
                "question": f"Ann has {i} {split} apples and buys {n}. How many?",
                "answer": f"Twice {i} is <<2*{i}={2 * i}>>{2 * i}.\nIn all <<{i}+{n}={i + n}>>{i + n}.\n#### {i + n}",
            }
            for i in range(2, 6)
            for n in range(2, 6)
        ]
        (folder / "data" / "gsm8k" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def trained(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what pages start from: the data and the demo's run, on a tiny model."""
    folder = tmp_path_factory.mktemp("demo")
    write_data(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(smaller(["train", "--config", "demo", *FEW, "--k_shot", "0"], str(bases["tied"]))) == 0
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it to work in, with the scripted agent in the place of OpenAI."""
    from memreason.llm.fake_server import ScriptedServer

    folder = tmp_path / "here"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    monkeypatch.setenv("MEMREASON_CACHE", str(tmp_path / "cache"))
    with ScriptedServer().running() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if {"sh", "python"} & {b.language for b in blocks(p) if not b.why_not}]
)
def test_what_a_page_shows_runs(page: str, here: Path, bases: dict[str, Path], capsys: pytest.CaptureFixture) -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.above.startswith("<!-- file: "):
            Path(block.above.split()[2]).write_text(block.text)
        elif block.language == "python" and not block.why_not:
            exec(compile(block.text, page, "exec"), names)
        elif block.language == "sh" and not block.why_not:
            for words in commands(block.text):
                if words[0] != "source":
                    assert words[0] == "memreason", f"mark the block as not run, or run it here: {words}"
                    assert main(smaller(words[1:], str(bases["tied"]))) == 0, (words, capsys.readouterr().err)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    import subprocess

    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "memreason.reasoner.load" in (tmp_path / "site" / "reference" / "python.html").read_text()
