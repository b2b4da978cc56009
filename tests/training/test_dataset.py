"""Tokenised examples on disk: written whole or not at all, once for all who ask, and read without a copy."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pyarrow as pa
import pytest
from helpers.tiny import SOLUTIONS
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from memreason.errors import UserError
from memreason.generation.few_shot import Demonstrations
from memreason.planning_tokens.layout import FRONT, IGNORE, PlanningTokens
from memreason.records import Question, Solution, Step
from memreason.tasks.base import TaskData
from memreason.training.dataset import Columns, discard, fingerprint, in_memory, load_or_build
from memreason.training.encoding import encode_solutions

LAYOUT = PlanningTokens()
LONG = Solution(Question("long", "Is Rome old?", "True"), (Step("memory", "Rome is " + "very " * 200 + "old."),))
BARE = Solution(Question("bare", "Is Rome old?", "True"))
ONE: Columns = {"input_ids": [[5, 6, 7]], "prompt_length": [1], "solution": [0]}

# Writes one batch, then is killed as the kernel kills.
KILLED = """
import os, signal, sys
from pathlib import Path
from memreason.training.dataset import load_or_build
def batches():
    yield {"input_ids": [[1, 2, 3]], "prompt_length": [1], "solution": [0]}
    os.kill(os.getpid(), signal.SIGKILL)
load_or_build(Path(sys.argv[1]), "key", batches)
"""
PRINTS_KEY = """
import sys
from transformers import PreTrainedTokenizerFast
from memreason.training.dataset import fingerprint
from memreason.planning_tokens.layout import PlanningTokens
from memreason.records import Question, Solution, Step
bare = Solution(Question("bare", "Is Rome old?", "True"), (Step("memory", "It is."),))
print(fingerprint([bare], PlanningTokens(), PreTrainedTokenizerFast.from_pretrained(sys.argv[1]), 128, None))
"""


@pytest.fixture
def tokenizer(bases: dict[str, Path]) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(bases["untied"])


def never() -> Iterator[Columns]:
    raise AssertionError("made again")
    yield


def shown(solutions: list[Solution], count: int = 1, seed: int = 0) -> Demonstrations:
    return Demonstrations(TaskData("capitals", "boolean", {"train": solutions}), count, seed=seed)


class TestEncoding:
    def test_on_disk_and_in_memory_are_the_ids_of_the_layout(self, tokenizer, tmp_path: Path) -> None:
        expected = [LAYOUT.encode(tokenizer, solution) for solution in SOLUTIONS]
        for folder in (None, tmp_path):
            examples, _ = encode_solutions(SOLUTIONS, LAYOUT, tokenizer, 128, folder=folder)
            assert list(examples) == [{"input_ids": one.ids, "labels": one.labels} for one in expected]
            assert examples.lengths.tolist() == [len(one.ids) for one in expected]

    def test_demonstrations_are_shown_before_each(self, tokenizer, tmp_path: Path) -> None:
        choose = shown(SOLUTIONS, 2)
        examples, _ = encode_solutions(SOLUTIONS, LAYOUT, tokenizer, 512, choose, tmp_path)
        expected = [LAYOUT.encode(tokenizer, one, choose(one.question)) for one in SOLUTIONS]
        assert [example["labels"] for example in examples] == [one.labels for one in expected]

    def test_a_second_time_both_examples_and_report_come_from_disk(self, tokenizer, tmp_path: Path) -> None:
        solutions = [LONG, *SOLUTIONS, BARE]
        first, told = encode_solutions(solutions, LAYOUT, tokenizer, 128, folder=tmp_path)
        (path,) = tmp_path.glob("*.arrow")
        written = path.stat()
        again, told_again = encode_solutions(solutions, LAYOUT, tokenizer, 128, folder=tmp_path)
        assert path.stat() == written
        assert list(again) == list(first)
        assert told == told_again and (told.too_long, told.without_steps) == (("long",), ("bare",))

    def test_nothing_to_train_on_leaves_no_file(self, tokenizer, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no training example is left"):
            encode_solutions([LONG, BARE], LAYOUT, tokenizer, 128, folder=tmp_path)
        assert {path.name for path in tmp_path.iterdir()} <= {".lock"}


class TestTheFile:
    def test_reading_it_takes_no_memory_and_handing_it_on_copies_nothing(self, tmp_path: Path) -> None:
        many = {"input_ids": [[7] * 500] * 1000, "prompt_length": [100] * 1000, "solution": list(range(1000))}
        load_or_build(tmp_path, "key", lambda: [many])
        before = pa.total_allocated_bytes()
        examples = load_or_build(tmp_path, "key", never)
        assert examples[999] == {"input_ids": [7] * 500, "labels": [IGNORE] * 100 + [7] * 400}
        assert pa.total_allocated_bytes() - before < 10_000
        sent = pickle.dumps(examples)  # to a data loader's workers
        assert len(sent) < 10_000
        assert pickle.loads(sent)[5] == examples[5]

    def test_what_is_not_of_its_making_stays(self, tmp_path: Path) -> None:
        for name in ("mine.arrow", "notes.txt"):
            (tmp_path / name).touch()
        for key in ("0" * 24, "1" * 24):
            load_or_build(tmp_path, key, lambda: [ONE])
        assert {path.name for path in tmp_path.glob("*.arrow")} == {"mine.arrow", f"{'1' * 24}.arrow"}
        discard(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.arrow", "notes.txt"]
        load_or_build(tmp_path / "tokenised", "2" * 24, lambda: [ONE])
        discard(tmp_path / "tokenised")
        discard(tmp_path / "tokenised")
        assert not (tmp_path / "tokenised").exists()

    @pytest.mark.parametrize("left", [0, 9, 200])
    def test_a_damaged_file_is_made_anew(self, tmp_path: Path, left: int) -> None:
        load_or_build(tmp_path, "key", lambda: [ONE])
        path = tmp_path / "key.arrow"
        path.write_bytes(path.read_bytes()[:left])
        assert load_or_build(tmp_path, "key", lambda: [ONE])[0]["input_ids"] == [5, 6, 7]

    def test_a_killed_write_leaves_no_file_and_no_lock(self, tmp_path: Path) -> None:
        run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, timeout=120)
        assert run.returncode == -9, run.stderr
        assert not list(tmp_path.glob("key*"))
        assert load_or_build(tmp_path, "key", lambda: [ONE])[0]["input_ids"] == [5, 6, 7]
        assert {path.name for path in tmp_path.iterdir()} <= {"key.arrow", ".lock"}

    def test_a_write_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        def batches() -> Iterator[Columns]:
            yield ONE
            raise OSError("the disk is full")

        with pytest.raises(OSError, match="disk is full"):
            load_or_build(tmp_path, "key", batches)
        assert {path.name for path in tmp_path.iterdir()} <= {".lock"}

    def test_of_two_who_ask_at_once_one_makes_it_and_the_other_waits(self, tmp_path: Path) -> None:
        begun, go_on = Event(), Event()

        def batches() -> Iterator[Columns]:
            begun.set()
            assert go_on.wait(60)
            yield ONE

        found = []
        first = Thread(target=lambda: found.append(load_or_build(tmp_path, "key", batches)))
        first.start()
        assert begun.wait(60)
        second = Thread(target=lambda: found.append(load_or_build(tmp_path, "key", never)))
        second.start()
        second.join(0.2)
        assert second.is_alive() and not found
        go_on.set()
        first.join(60)
        second.join(60)
        assert [list(examples) for examples in found] == [list(in_memory([ONE]))] * 2

    def test_a_folder_holds_the_newest_only(self, tmp_path: Path) -> None:
        for key in ("0" * 24, "a" * 24):
            load_or_build(tmp_path, key, lambda: [ONE])
        assert [path.stem for path in tmp_path.glob("*.arrow")] == ["a" * 24]

    def test_a_folder_that_cannot_be_written_to_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match=r"file/tokenised: cannot be written to"):
            load_or_build(tmp_path / "file" / "tokenised", "key", lambda: [ONE])


class TestTheKey:
    def test_it_is_the_same_in_another_process(self, bases: dict[str, Path]) -> None:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(bases["untied"])
        solution = replace(BARE, steps=(Step("memory", "It is."),))
        run = subprocess.run(
            [sys.executable, "-c", PRINTS_KEY, str(bases["untied"])], capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert run.stdout.strip() == fingerprint([solution], LAYOUT, tokenizer, 128, None), run.stderr

    def test_tokenising_does_not_change_it(self, tokenizer) -> None:
        before = fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, None)
        tokenizer(["a", "b c d"], padding=True, truncation=True, max_length=2)
        assert fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, None) == before

    def test_whatever_changes_the_examples_changes_it(self, bases: dict[str, Path], tokenizer) -> None:
        first, *rest = SOLUTIONS
        other_step = replace(first, steps=(replace(first.steps[0], text="Paris it is."), *first.steps[1:]))
        other_type = replace(first, steps=(replace(first.steps[0], type="reason"), *first.steps[1:]))
        other_question = replace(first, question=replace(first.question, text="Is it Paris?"))
        options = replace(first, question=replace(first.question, options=("Paris", "Lyon")))
        answer = replace(first, question=replace(first.question, answer="no"))
        more_tokens = AutoTokenizer.from_pretrained(bases["untied"])
        more_tokens.add_tokens(["capital"])
        template = AutoTokenizer.from_pretrained(bases["untied"])
        template.chat_template = "{{ messages[0].content }}"
        keys = [
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, None),
            *(
                fingerprint([solution, *rest], LAYOUT, tokenizer, 128, None)
                for solution in (other_step, other_type, other_question, options, answer)
            ),
            fingerprint(rest, LAYOUT, tokenizer, 128, None),
            fingerprint(SOLUTIONS[::-1], LAYOUT, tokenizer, 128, None),
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 129, None),
            fingerprint(SOLUTIONS, replace(LAYOUT, placement=FRONT), tokenizer, 128, None),
            fingerprint(SOLUTIONS, LAYOUT, more_tokens, 128, None),
            fingerprint(SOLUTIONS, LAYOUT, template, 128, None),
            fingerprint(SOLUTIONS, LAYOUT, AutoTokenizer.from_pretrained(bases["tied"]), 128, None),
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, shown(SOLUTIONS)),
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, shown(SOLUTIONS, 2)),
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, shown(SOLUTIONS, seed=1)),
            fingerprint(SOLUTIONS, LAYOUT, tokenizer, 128, shown([other_step, *rest])),
        ]
        assert len(set(keys)) == len(keys)
