"""The definitions of the causes, apart from any dataset."""

from itertools import product
from typing import get_args

import pytest

from memreason.records import Cause
from memreason.tasks.causes import Findings, cause, grounds

FOUND = {"answer": "B", "gold": "A", "concluded": "B", "follows": "B", "unread": False, "unread_after": False}
"""All is read, and the trace concludes what its facts say, which is wrong."""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "false_memory"),
        ({"follows": "A"}, "wrong_inference"),
        ({"follows": "C"}, "both"),
        ({"follows": None}, "missing_memory"),
        ({"concluded": "A"}, "answer_slip"),
        ({"concluded": "C"}, "answer_slip"),
        ({"asked": False}, "unreadable"),
        ({"answer": "A"}, None),
        # Without a step that concludes, the answer line is the conclusion.
        ({"concluded": None}, "false_memory"),
        ({"concluded": None, "follows": "A"}, "wrong_inference"),
        ({"concluded": None, "follows": None}, "missing_memory"),
        # A step that cannot be read is to blame only where something hangs on it.
        ({"unread": True}, "false_memory"),
        ({"unread": True, "follows": "A"}, "wrong_inference"),
        ({"unread": True, "follows": None}, "unreadable"),
        ({"unread": True, "concluded": None}, "unreadable"),
        ({"unread": True, "unread_after": True}, "false_memory"),
        ({"unread": True, "concluded": "A"}, "answer_slip"),
        ({"unread": True, "unread_after": True, "concluded": "A"}, "unreadable"),
        # The order: what is missing goes before a slip, and a slip before a false memory.
        ({"follows": None, "concluded": "A"}, "missing_memory"),
        ({"follows": "C", "concluded": "C"}, "answer_slip"),
    ],
)
def test_the_first_cause_whose_condition_holds(changes, expected):
    assert cause(Findings(**FOUND | changes)) == expected


def test_every_wrong_answer_has_one_of_the_six_causes_and_each_occurs():
    causes = set()
    for concluded, follows, (unread, after), asked in product(
        ("A", "B", "C", None), ("A", "B", "C", None), ((False, False), (True, False), (True, True)), (True, False)
    ):
        causes.add(cause(Findings("B", "A", concluded, follows, unread, after, asked)))
        assert cause(Findings("A", "A", concluded, follows, unread, after, asked)) is None
    assert causes == set(get_args(Cause))


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ((True, True, True), "sound"),
        ((False, True, True), "lucky"),
        ((True, False, True), "lucky"),
        ((True, True, False), "lucky"),
        ((None, False, True), "lucky"),
        ((True, None, True), "unreadable"),
        ((None,), "unreadable"),
    ],
)
def test_what_a_right_answer_rests_on(truth, expected):
    assert grounds(truth) == expected
