"""What agents write back: read through whatever stands around it, never guessed at, every fault named."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreason.label.rejection_reasons import MOST_STEPS, REASONS, Problem
from memreason.label.replies import check_steps, read_answer, read_facts, read_plan
from memreason.llm.base import Reply
from memreason.records import MEMORY, REASON, AnswerKind, Question, Step

BOOLEAN = Question("q", "Is Lyon the capital of France?", "False")
CHOICE = Question("q", "What writes?", "B", ("spoon", "pen", "hat"))
TEXT = Question("q", "How many?", "1,200")
STEPS = (Step(MEMORY, "What is the capital of France?"), Step(REASON, "Lyon is not that city."))


def plan(answer: object = "False", *steps: tuple[str, Any], **more: object) -> dict[str, Any]:
    rows = steps or tuple((step.type, step.text) for step in STEPS)
    return {"steps": [{"type": type_, "text": text} for type_, text in rows], "answer": answer, **more}


def read(text: str | dict[str, Any], question: Question = BOOLEAN, kind: AnswerKind = "boolean", **checks: bool) -> Any:
    return read_plan(Reply(text if isinstance(text, str) else json.dumps(text)), question, kind, **checks)


def problem(text: str | dict[str, Any], **checks: bool) -> str:
    with pytest.raises(Problem) as caught:
        read(text, **checks)
    return caught.value.code


PLAN = json.dumps(plan())


class TestTolerance:
    @pytest.mark.parametrize(
        "text",
        [
            PLAN,
            f"Sure! Here is the plan:\n{PLAN}\nI hope {{that}} helps.",
            f"```json\n{json.dumps(plan(), indent=2)}\n```",
            f'<think>Perhaps {{"steps": [], "answer": "True"}}? No.</think>\n{PLAN}',
            f"A first try: {json.dumps(plan('True'))}\nBetter: {PLAN}",
            f'{PLAN}\n{{"answer": "False"}}',
            str(plan()),
            PLAN.replace("}]", "},],"),
            PLAN.replace('"answer"', "// at last\n\"answer\""),
            json.dumps(plan(confidence=0.9, notes={"of": ["mine"]})),
            json.dumps({**plan(), "steps": [{**row, "number": 1} for row in plan()["steps"]]}),
            json.dumps(plan("False", *((f" [{s.type.upper()}] ", f"\n {s.text}  ") for s in STEPS))),
            json.dumps(plan("no.")),
            json.dumps(plan(False)),
            "1. [memory]: What is the capital of France?\n2. **Reason:** Lyon is not that city.\n\nAnswer: False.",
            "- memory: What is the capital of France?\n- reason: Lyon is not that city.\nThe answer is: no",
        ],
        ids=["bare", "prose around", "fence", "thoughts", "two plans", "answer after it", "single quotes",
             "comma too many", "comment", "fields of its own", "fields in steps", "labels in any case", "no with a dot",
             "boolean", "numbered lines", "dashed lines"],
    )  # fmt: skip
    def test_a_plan_is_found_whatever_stands_around_it(self, text: str) -> None:
        assert read(text) == STEPS

    @pytest.mark.parametrize("said", ["B", "b", "(B)", "B.", "B)", "B. pen", "(B) pen", "B: Pen."])
    def test_a_choice_may_be_written_with_its_text(self, said: str) -> None:
        assert read(plan(said), CHOICE, "choice") == STEPS

    @pytest.mark.parametrize("said", ["**B**", "option B", "Option B.", "pen", "**Pen**", "The answer is B",
                                      "$B$", "\\boxed{B}", "“B”", "Answer: B. pen", "**B.** pen",
                                      "Option **B**"])  # fmt: skip
    def test_and_decorated(self, said: str) -> None:
        assert read(plan(said), CHOICE, "choice") == STEPS

    @pytest.mark.parametrize(
        "said", ["**False**", "*No*", "`False`", '"no"', "The answer is False.", "answer: no", "__FALSE__"]
    )
    def test_so_may_a_truth_value(self, said: str) -> None:
        assert read(plan(said)) == STEPS

    @pytest.mark.parametrize("said", ["1200.0", 1200.0, "$1,200", "**1200**", "$1200$", "\\boxed{1200}", "1,200.00"])
    def test_and_a_number(self, said: object) -> None:
        assert read(plan(said), TEXT, "text") == STEPS

    @pytest.mark.parametrize(
        ("said", "question", "kind"),
        [("not B", CHOICE, "choice"), ("hat", CHOICE, "choice"), ("B or C", CHOICE, "choice"),
         ("**C**", CHOICE, "choice"),
         ("not False", BOOLEAN, "boolean"), ("**True**", BOOLEAN, "boolean"), ("1200.5", TEXT, "text"),
         ("1,200 or so", TEXT, "text"), ("", TEXT, "text"), ("*" * 90_000, TEXT, "text")],
    )  # fmt: skip
    def test_another_answer_stays_another(self, said: str, question: Question, kind: AnswerKind) -> None:
        with pytest.raises(Problem) as caught:
            read(plan(said), question, kind)
        assert caught.value.code == "contradicts_gold" and len(caught.value.detail) < 500

    @pytest.mark.parametrize("said", ["1,200", "1200", 1200, "1200."])
    def test_a_number_is_compared_as_a_number_is_written(self, said: object) -> None:
        assert read(plan(said), TEXT, "text") == STEPS

    def test_any_script_is_a_text(self) -> None:
        steps = (("memory", "フランスの首都は？"), ("reason", "リヨンではない — «нет» 🦒."))
        assert [step.text for step in read(plan("False", *steps))] == [text for _, text in steps]


class TestBrokenOff:
    """A reply that breaks off must not become a shorter solution."""

    FOUR = plan("False", *((type_, f"{type_} {n}?") for n in range(2) for type_ in ("memory", "reason")))

    @pytest.mark.parametrize(
        "written",
        [
            json.dumps(FOUR),
            json.dumps({"answer": "False", **FOUR}),
            str(FOUR),
            str({"answer": "False", **FOUR}),
            json.dumps(FOUR, indent=1),
        ],
        ids=["answer last", "answer first", "quotes", "quotes, answer first", "lines"],
    )
    def test_no_beginning_of_a_plan_is_a_plan(self, written: str) -> None:
        assert len(read(written)) == 4
        for end in range(len(written)):
            assert problem(written[:end]) in ("bad_json", "empty_reply")

    def test_a_draft_before_it_does_not_stand_in_for_it(self) -> None:
        assert problem(f"{PLAN}\nNo, better:\n{PLAN[:-30]}") == "bad_json"
        assert problem(f"<think>{PLAN}</think>{PLAN[:-30]}") == "bad_json"
        assert problem(f"<think>{PLAN}") == "empty_reply"

    def test_lines_without_an_answer_at_the_end_are_no_plan(self) -> None:
        assert problem("memory: a?\nreason: b.") == "bad_json"
        assert problem("answer: False\nmemory: a?\nreason: b.") == "bad_json"


class TestHostileReplies:
    @pytest.mark.parametrize(
        "text",
        ["{" * 100_000, '{"a":' * 20_000, '{"a":' * 20_000 + "1" + "}" * 20_000, "{" * 50_000 + "}" * 50_000,
         "[" * 100_000, "{'a':" * 10_000 + "1" + "}" * 10_000, "{a," * 100 + "}" * 100, "{' " * 10_000 + "}" * 10_000,
         "1" * 100_000, "*" * 100_000 + ":", "a" + " " * 100_000 + "b", '{"steps": "' + "x" * 100_000,
         '{"steps": [' + "{}," * 30_000, "memory" * 20_000, "\\" * 100_000, '{ "' * 30_000],
        ids=range(16),
    )  # fmt: skip
    def test_are_refused_in_no_time(self, text: str) -> None:
        start = time.process_time()
        assert problem(text) in ("bad_json", "wrong_schema")
        assert time.process_time() - start < 2

    @given(st.text(alphabet="{}[]\",:' asteps\n", max_size=80))
    def test_never_end_in_anything_but_a_plan_or_a_problem(self, text: str) -> None:
        for checked in (text, '{"steps": ' + text, PLAN + text):
            try:
                assert read(checked)
            except Problem as fault:
                assert fault.code in REASONS


def facts(*found: object) -> str:
    return json.dumps({"facts": found})


FAULTS = [
    ("empty_reply", "", "stop"),
    ("empty_reply", " \n", "stop"),
    ("refused", "I will not", "refusal"),
    ("refused", "", "content_filter"),
    ("cut_off", PLAN[:-20], "length"),
    ("bad_json", "I think it is False.", "stop"),
    ("wrong_schema", '{"plan": "none"}', "stop"),
    ("wrong_schema", json.dumps(plan()["steps"]), "stop"),
    ("wrong_schema", json.dumps({"result": 1, "steps": "a, b"}), "stop"),
    ("wrong_schema", '{"steps": [], "answer": "False"}', "stop"),
    ("wrong_schema", '{"steps": ["memory", "reason"], "answer": "False"}', "stop"),
    ("wrong_schema", json.dumps({"steps": plan()["steps"]}), "stop"),
    ("wrong_schema", json.dumps(plan(["False"])), "stop"),
    ("wrong_schema", json.dumps(plan("False", ("memory", 7))), "stop"),
    ("unknown_label", json.dumps(plan("False", ("thought", "a"))), "stop"),
    ("unknown_label", json.dumps(plan("False", (None, "a"))), "stop"),  # type: ignore[arg-type]
    ("empty_step", json.dumps(plan("False", ("memory", " "))), "stop"),
    ("empty_step", json.dumps(plan("False", ("memory", None))), "stop"),
    ("too_many_steps", json.dumps(plan("False", *(("reason", str(n)) for n in range(MOST_STEPS + 1)))), "stop"),
    ("no_memory_step", json.dumps(plan("False", ("reason", "a"))), "stop"),
    ("no_reason_step", json.dumps(plan("False", ("memory", "a"))), "stop"),
    ("wrong_order", json.dumps(plan("False", ("memory", "a"), ("reason", "b"), ("memory", "c"))), "stop"),
    ("contradicts_gold", json.dumps(plan("True")), "stop"),
    ("contradicts_gold", json.dumps(plan("it depends")), "stop"),
    ("leaks_answer_early", json.dumps(plan("False", ("memory", "The answer is no."), ("reason", "b"))), "stop"),
    ("repeated_step", json.dumps(plan("False", ("memory", "A  b"), ("reason", "a B"))), "stop"),
    ("refused", "I'm sorry, but I can't assist with that.", "stop"),
    ("refused", "I do not know.", "stop"),
    (
        "unknown_fact",
        json.dumps(plan("False", ("memory", "Which city?"), ("reason", "I cannot determine it."))),
        "stop",
    ),
    ("placeholder", json.dumps(plan("False", ("memory", "the query"), ("reason", "the conclusion"))), "stop"),
    ("placeholder", json.dumps(plan("False", ("memory", "Which city?"), ("reason", "…"))), "stop"),
    ("control_character", json.dumps(plan("False", ("memory", "a\0b"), ("reason", "c"))), "stop"),
    ("control_character", json.dumps(plan("False", ("memory", "a"), ("reason", "\x1b[31mc"))), "stop"),
    ("control_character", json.dumps(plan("False", ("memory", "a \u202e b"), ("reason", "c"))), "stop"),
    ("planning_token", json.dumps(plan("False", ("memory", "a"), ("reason", "so <reason_0> it is"))), "stop"),
    ("not_in_content", PLAN, "reasoning_content"),
    ("not_in_content", PLAN, "tool_calls"),
]


@pytest.mark.parametrize(("code", "text", "ended"), FAULTS)
def test_every_fault_of_a_plan_has_its_name(code: str, text: str, ended: str) -> None:
    with pytest.raises(Problem) as caught:
        read_plan(Reply(text, ended), BOOLEAN, "boolean", memory_first=True)
    assert caught.value.code == code
    assert caught.value.detail


FACT_FAULTS = [
    ("wrong_count", facts("a")),
    ("wrong_count", facts("a", "b", "c")),
    ("unknown_fact", facts("a", None)),
    ("unknown_fact", facts("a", "Unknown.")),
    ("unknown_fact", facts("null", "a")),
    ("unknown_fact", facts("a", "I don't know who that is.")),
    ("empty_step", facts("a", " ")),
    ("unknown_fact", facts("a", "There is no information available.")),
    ("unknown_fact", "I don't have any information about these."),
    ("refused", facts("I'm sorry, but I can't help with that.", "a")),
    ("placeholder", facts("the fact for query 1", "the fact for query 2")),
    ("control_character", facts("a", "b\x7f")),
    ("planning_token", facts("a", "<memory_0> b")),
    ("wrong_schema", facts("a", 7)),
    ("wrong_schema", '{"facts": "a, b"}'),
    ("wrong_schema", '{"answer": "a"}'),
]


@pytest.mark.parametrize(("code", "text"), FACT_FAULTS)
def test_every_fault_of_the_facts_has_its_name(code: str, text: str) -> None:
    with pytest.raises(Problem) as caught:
        read_facts(Reply(text), ["Who?", "What?"])
    assert caught.value.code == code


def test_no_reason_is_without_a_reply_that_brings_it_about() -> None:
    assert {code for code, *_ in FAULTS + FACT_FAULTS} | {"request_failed"} == set(REASONS)  # type: ignore[operator]


def test_facts_come_in_the_order_of_their_queries_on_one_line_each() -> None:
    assert read_facts(Reply(facts("Paris is\nit.", "None of them is.")), ["a", "b"]) == (
        "Paris is it.",
        "None of them is.",
    )


def test_half_a_character_is_replaced_in_steps_as_in_facts() -> None:
    assert read_facts(Reply(r'{"facts": ["Paris \ud83d is it."]}'), ["a"]) == ("Paris ? is it.",)
    assert read(PLAN.replace("Lyon", r"\ude00"))[1].text == "? is not that city."


def test_latex_with_single_backslashes_reaches_the_steps_as_it_was_written() -> None:
    written = PLAN.replace("Lyon", r"$\frac{1}{2} \neq \theta$")
    assert read(written)[1].text == r"$\frac{1}{2} \neq \theta$ is not that city."


@pytest.mark.parametrize("need_both", [True, False])
def test_steps_of_one_type_pass_where_both_are_not_needed(need_both: bool) -> None:
    one = plan("False", ("reason", "a"))
    assert problem(one) == "no_memory_step" if need_both else read(one, need_both=False)


LEAKS = [
    "The answer is no.", "So the final answer is True.", "Hence the correct answer must be B.", "The answer = 7.",
    "Option B is the correct answer.", "Pens are the right choice.", "So the correct option is B.",
    "The choice is (B).",    "The right choice must be B, since it writes.",
]  # fmt: skip
NO_LEAKS = [
    "The right choice is often hard.", "One option is to fly.", "The most popular choice is vanilla.",
    "Option A is not the correct answer.", "Every choice is made by someone.", "A school is where an answer is given.",
    "What is the capital of Italy?", "An option is a contract.", "The answer is not known to most people.",
    "The best-known option is vitamin C.", "Questions and answers are written down.",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAKS)
def test_a_step_that_states_the_answer_comes_last_or_not_at_all(text: str) -> None:
    check_steps((Step(MEMORY, "a"), Step(REASON, text)))
    with pytest.raises(Problem, match="step 2 states the answer"):
        check_steps((Step(MEMORY, "a"), Step(REASON, text), Step(REASON, "b")))


@pytest.mark.parametrize("text", NO_LEAKS)
def test_words_alone_state_no_answer(text: str) -> None:
    check_steps((Step(MEMORY, text), Step(REASON, "b")))


class TestReader:
    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ('{"answer": "B"}', "B"),
            ('{"answer": true}', "True"),
            ('{"answer": 42}', "42"),
            ('```\n{"answer": "a\\nb"}```', "a b"),
        ],
    )
    def test_an_answer_is_one_line(self, text: str, answer: str) -> None:
        assert read_answer(Reply(text)) == answer

    @pytest.mark.parametrize("text", ['{"answer": ""}', '{"answer": null}', '{"answer": ["B"]}', '{"said": "B"}'])
    def test_none_is_a_problem(self, text: str) -> None:
        with pytest.raises(Problem) as caught:
            read_answer(Reply(text))
        assert caught.value.code == "wrong_schema"
