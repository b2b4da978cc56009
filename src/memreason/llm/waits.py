"""Reads how long a server asks to wait, from all the headers that servers use for it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from math import isfinite

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|us|µs|ns|s|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s|d)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SINCE_1970 = 1e9
"""A larger number is a moment, not a wait: seconds or milliseconds since 1970."""
_KINDS = ("requests", "tokens")


def asked_wait(headers: Mapping[str, str], limited: bool) -> float | None:
    """Seconds that the headers of a reply ask to wait; None if they ask for no wait, or for an impossible one.

    The headers `retry-after-ms` and `Retry-After` (seconds, or a date) come first. If there is neither and the reply
    says that a rate limit was reached (``limited``), the wait lasts until the limit is reset
    (`x-ratelimit-reset-requests: 1m2.5s` and similar headers). If several limits have a reset, the latest counts, of
    the limits that are used up if the headers say which.
    """
    milliseconds = headers.get("retry-after-ms")
    waits = [_seconds(f"{milliseconds.strip()}ms")] if milliseconds else []
    waits.append(_seconds(headers.get("retry-after")))
    if first := next((wait for wait in waits if wait is not None), None):
        return first
    if not limited or any(name in headers for name in ("retry-after", "retry-after-ms")):
        return None
    resets: dict[str, tuple[float, bool]] = {}
    for kind in _KINDS:
        for prefix, order in (("x-ratelimit-", "{}-" + kind), ("anthropic-ratelimit-", kind + "-{}")):
            if (wait := _seconds(headers.get(prefix + order.format("reset")))) is not None:
                resets[prefix + kind] = wait, _is_none(headers.get(prefix + order.format("remaining")))
    for name in ("x-ratelimit-reset", "ratelimit-reset"):
        if (wait := _seconds(headers.get(name))) is not None:
            resets[name] = wait, _is_none(headers.get(name.replace("reset", "remaining")))
    used_up = [wait for wait, none_left in resets.values() if none_left]
    return max(used_up or [wait for wait, _ in resets.values()], default=0.0) or None


def spell(seconds: float) -> str:
    """A wait in words, with the time of day at which it ends."""
    until = datetime.fromtimestamp(time.time() + min(seconds, 1e9))
    date = f"{until:%H:%M:%S}" if seconds < 43200 else f"{until:%Y-%m-%d %H:%M}"
    for unit, length in (("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}, until {date}"
    return f"{seconds:.3g} seconds, until {date}"


def _is_none(remaining: str | None) -> bool:
    return remaining is not None and remaining.strip() in ("0", "0.0", "-1")


def _seconds(value: str | None) -> float | None:
    """A header's value as seconds from now; None if it is not a finite time in the future."""
    value = (value or "").strip()
    wait: float | None = None
    try:
        if _DURATION.fullmatch(value):
            wait = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(value))
        else:
            wait = float(value)
    except ValueError:
        moment = _moment(value)
        wait = None if moment is None else moment - time.time()
    if wait is None or not isfinite(wait):
        return None
    if wait > _SINCE_1970:
        wait = (wait / 1000 if wait > 1000 * _SINCE_1970 else wait) - time.time()
    return wait if wait > 0 else None


def _moment(value: str) -> float | None:
    """A date in the form of HTTP or of ISO 8601, as seconds since 1970; None if it is neither."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(value).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError, OSError):
            continue
    return None
