"""How long a server asks to wait: in every spelling, and never for ever."""

import time
from email.utils import formatdate

import pytest

from memreason.llm.waits import asked_wait, spell


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "20s"}, 20.0),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "1500.5", "retry-after": "2"}, 1.5005),
        ({"x-ratelimit-reset-requests": "12s"}, 12.0),
        ({"x-ratelimit-reset-requests": "1m2.5s"}, 62.5),
        ({"x-ratelimit-reset-tokens": "90ms"}, 0.09),
        ({"x-ratelimit-reset-tokens": "1h0m1s"}, 3601.0),
        ({"x-ratelimit-reset-requests": "59.5"}, 59.5),
        ({"x-ratelimit-reset-requests": "3s", "x-ratelimit-reset-tokens": "7s"}, 7.0),
        ({"x-ratelimit-reset-requests": "6h", "x-ratelimit-remaining-requests": "90", "x-ratelimit-reset-tokens": "7s",
          "x-ratelimit-remaining-tokens": "0"}, 7.0),
        ({"ratelimit-reset": "30"}, 30.0),
        ({"retry-after": "4", "x-ratelimit-reset-requests": "12s"}, 4.0),
    ],
)  # fmt: skip
def test_a_wait_is_read_in_every_spelling(headers: dict[str, str], seconds: float) -> None:
    assert asked_wait(headers, limited=True) == pytest.approx(seconds)


@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "-5", "0", "soon", "", "1e999",
                                   "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 2015", "12 parsecs", "٣"])  # fmt: skip
@pytest.mark.parametrize("name", ["retry-after", "retry-after-ms", "x-ratelimit-reset-requests"])
def test_what_is_no_wait_is_none(name: str, value: str) -> None:
    wait = asked_wait({name: value}, limited=True)
    assert wait is None or (value == "٣" and wait <= 3)  # a digit, after all


def test_dates_and_moments_are_waited_for_from_now() -> None:
    then = time.time() + 100
    stamps = [{"retry-after": formatdate(then, usegmt=True)}, {"x-ratelimit-reset": str(round(then))},
              {"x-ratelimit-reset": str(round(then * 1000))},
              {"anthropic-ratelimit-requests-reset":
               time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(then))}]  # fmt: skip
    for headers in stamps:
        assert asked_wait(headers, limited=True) == pytest.approx(100, abs=5)


def test_a_limit_is_read_only_where_one_was_met() -> None:
    assert asked_wait({"x-ratelimit-reset-requests": "12s"}, limited=False) is None
    assert asked_wait({"retry-after": "12"}, limited=False) == 12.0


def test_a_wait_is_said_with_its_end() -> None:
    assert spell(4.0).startswith("4 seconds, until ")
    assert spell(150.0).startswith("2.5 minutes, until ")
    assert spell(86400.0).startswith("24 hours, until 20")
    assert spell(1e30)
