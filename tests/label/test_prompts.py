"""The prompts: files that can be read and replaced, checked before anything is sent."""

from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.label.prompts import FOLDER, ORDERS, answer_value, load_prompts, question_values
from memreason.records import Question

CHOICE = Question("q", "What writes?", "B", ("spoon", "pen"))


def own(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("order", ORDERS)
def test_the_planner_is_told_the_question_the_options_and_the_answer(order: str) -> None:
    system, user = load_prompts(order).messages("planner", **question_values(CHOICE), answer=answer_value(CHOICE))
    assert user["content"] == "Question: What writes?\nOptions:\nA. spoon\nB. pen\nAnswer: B. pen"
    assert system["role"] == "system"
    assert '"steps"' in system["content"]


def test_the_knowledge_agent_is_told_the_queries_and_neither_question_nor_answer() -> None:
    _, user = load_prompts("interleaved").messages("knowledge", queries="1. Who?", **question_values(CHOICE))
    assert user["content"] == "1. Who?"


def test_the_reader_is_told_no_answer() -> None:
    _, user = load_prompts("interleaved").messages("reader", **question_values(CHOICE), steps="- Pens write.")
    assert user["content"] == "Question: What writes?\nOptions:\nA. spoon\nB. pen\nNotes:\n- Pens write."


def test_a_repair_names_the_problem() -> None:
    message = load_prompts("single").repair("step 2 costs $5")
    assert message["role"] == "user"
    assert "step 2 costs $5" in message["content"]


def test_every_shipped_file_belongs_to_a_role() -> None:
    used = {"knowledge.md", "reader.md", "repair.md", *(f"planner.{order}.md" for order in ORDERS)}
    assert {path.name for path in FOLDER.iterdir()} == used


@pytest.mark.parametrize("text", ["It costs $5, or $answer or ${question}; $$ too.", "a\n-----\nb", "{braces} % \\1"])
def test_a_question_may_hold_anything(text: str) -> None:
    question = Question("q", text, "True")
    _, user = load_prompts("single").messages("planner", **question_values(question), answer=answer_value(question))
    assert user["content"] == f"Question: {text}\nAnswer: True"


def test_an_answer_that_looks_like_a_letter_is_told_as_it_is_where_there_are_no_options() -> None:
    assert answer_value(Question("q", "Which vitamin?", "B")) == "B"


class TestOwnPrompts:
    def test_a_file_of_ones_own_takes_the_place_of_ours_and_the_others_stay(self, tmp_path: Path) -> None:
        folder = own(tmp_path, "knowledge.md", "\ufeffSay facts.\n-----\nAbout $question: $queries, for $$1")
        prompts, ours = load_prompts("interleaved", folder), load_prompts("interleaved")
        system, user = prompts.messages("knowledge", queries="1. Who?", **question_values(CHOICE))
        assert (system["content"], user["content"]) == ("Say facts.", "About What writes?: 1. Who?, for $1")
        assert prompts.texts["planner"] == ours.texts["planner"]

    def test_any_changed_word_changes_the_fingerprint(self, tmp_path: Path) -> None:
        ours = load_prompts("interleaved")
        folder = own(tmp_path, "knowledge.md", ours.texts["knowledge"])
        assert load_prompts("interleaved", folder).fingerprint == ours.fingerprint
        folder = own(tmp_path, "knowledge.md", ours.texts["knowledge"] + "!")
        assert load_prompts("interleaved", folder).fingerprint != ours.fingerprint

    def test_windows_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        (tmp_path / "knowledge.md").write_bytes(b"Say facts.\r\n-----\r\n$queries\r\n")
        assert load_prompts("single", str(tmp_path)).messages("knowledge", queries="q")[1]["content"] == "q"

    @pytest.mark.parametrize(
        ("name", "text", "says"),
        [
            ("knowledge.md", "a\n-----\nb", r"lacks \$queries"),
            ("planner.single.md", "a\n-----\n$question", r"lacks \$answer"),
            (
                "knowledge.md",
                "a\n-----\n$queries $anwser",
                r"\$anwser is not a name that can be filled in; use \$options",
            ),
            ("knowledge.md", "a\n-----\n$queries $answer", r"\$answer is not a name"),
            ("knowledge.md", "$queries", "line of five dashes"),
            ("knowledge.md", "a\n-----\n$queries\n-----\nb", "line of five dashes"),
            ("knowledge.md", "for 5 $ each\n-----\n$queries", r"write \$\$"),
            ("repair.md", "again", r"lacks \$problem"),
        ],
    )
    def test_a_file_that_would_not_work_is_named_with_what_is_wrong(
        self, tmp_path: Path, name: str, text: str, says: str
    ) -> None:
        with pytest.raises(UserError, match=rf"{name}: .*{says}"):
            load_prompts("single", own(tmp_path, name, text))

    def test_a_file_in_another_encoding_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "knowledge.md").write_bytes("ä\n-----\n$queries".encode("latin-1"))
        with pytest.raises(UserError, match=r"knowledge\.md: not UTF-8"):
            load_prompts("single", str(tmp_path))

    def test_a_folder_without_any_prompt_of_this_order_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"none of planner\.single\.md"):
            load_prompts("single", own(tmp_path, "planner.interleaved.md", "x"))
        with pytest.raises(UserError, match="no such folder"):
            load_prompts("single", str(tmp_path / "nowhere"))
