"""What of a text is thought, and what is left."""

import pytest

from memreason.answers.thoughts import without_thoughts


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Two and two are 4.", "Two and two are 4."),
        ("<think>Or 5?</think>\n4", "\n4"),
        ("<THINKING>Or 5?</THINKING>4", "4"),
        ("Or 5?</think>4", "4"),  # opened in the prompt
        ("4<think>or 5?</think> it is", "4 it is"),
        ("<think>Or <think>5</think>4", "4"),
        ("[THINK]Or 5?[/THINK]4", "4"),
        ("<seed:think>Or 5?</seed:think>4", "4"),
        ("◁think▷Or 5?◁/think▷4", "4"),
        ("<|begin_of_thought|>Or 5?<|end_of_thought|>4", "4"),
        ("<|START_THINKING|>Or 5?<|END_THINKING|>4", "4"),
        ("<|channel>thought\nOr 5?<channel|>4", "4"),
        ("<reason_0> Two and two.\nI think it is 4.", "<reason_0> Two and two.\nI think it is 4."),
    ],
)
def test_thoughts_stand_between_tags_or_before_a_closing_one(text: str, left: str) -> None:
    assert without_thoughts(text) == left


@pytest.mark.parametrize(
    "text",
    ["<think>It is 4.", "[THINK]It is 4. ", "a</think><think>It is 4.", "<|channel|>analysis<|message|>It is 4.",
     "analysisIt is 4.", "Thinking Process:\n1. It is 4.", "Here's a thinking process:\n\n1. **4**"]
)  # fmt: skip
def test_of_thoughts_that_never_end_nothing_is_left(text: str) -> None:
    assert without_thoughts(text).strip() == ""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<|channel|>analysis<|message|>5?<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>", "4"),
        ("5?<|end|><|start|>assistant<|channel|>final<|message|>4", "4"),
        ('<|channel|>final <|constrain|>json<|message|>{"a": 4}<|return|>', '{"a": 4}'),
        ("analysisMaybe 5?assistantcommentaryHm.assistantfinal4", "4"),
        ("analysis of two and two: 4", "analysis of two and two: 4"),
    ],
)
def test_of_channels_only_the_final_one_is_said(text: str, left: str) -> None:
    assert without_thoughts(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Thinking Process:\n1. Suppose the answer is 5?\n\nFinal Answer: 4", "Final Answer: 4"),
        ("**Thinking Process:**\n1. 5?\n**Answer:**\n4", "**Answer:**\n4"),
        ("Thinking Process:\nAnswer: 5?\nNo.\nThe answer is: 4", "The answer is: 4"),
        ("Thinking Process:\n\n1. 5?\n</think>\n\n4", "\n\n4"),
        ("Here is my thought process:\n5?\nHere is my response:\n4", "\n4"),
        ("Thinking...\n5?\n...done thinking.\n\n4", "4"),
        ('Thinking Process:\n5?\n{"steps": [],\n"answer": "4"}', '{"steps": [],\n"answer": "4"}'),
        ("The thinking process: two and two are 4", "The thinking process: two and two are 4"),
    ],
)
def test_an_untagged_heading_opens_thoughts_that_end_where_an_answer_is_announced(text: str, left: str) -> None:
    assert without_thoughts(text) == left


PIECES = ["<think>", "</think>", "<|channel|>", "Thinking Process:\n", "<think", "\n> ", "answer "]


@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_take_no_time(piece: str) -> None:
    assert len(without_thoughts(piece * 100_000)) <= len(piece) * 100_000
