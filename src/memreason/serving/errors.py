"""Errors as OpenAI's API reports them: a status, and `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memreason.errors import plain

Problem = Mapping[str, Any]
"""One entry of pydantic's list of what is wrong with a value."""


class ApiError(Exception):
    """A request that is not answered: the status, and what its body says."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.code, self.param, self.headers = status, code, param, dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        kind = {429: "rate_limit_error"}.get(self.status, "invalid_request_error")
        if self.status >= 500:
            kind = "server_error"
        return {"error": {"message": plain(str(self)), "type": kind, "param": self.param, "code": self.code}}


def unusable(message: str, param: str | None = None, code: str | None = "invalid_value") -> ApiError:
    """Status 400: the request asks for what cannot be."""
    return ApiError(400, message, code, param)


def invalid(problems: Sequence[Problem]) -> ApiError:
    """Status 400 for what pydantic found; the first of the problems is told."""
    problem = problems[0]
    place = [part for part in problem["loc"] if part not in ("body", "query")]
    if problem["type"] == "json_invalid":
        return unusable(f"the body is not valid JSON: {problem['ctx']['error']} at character {place[0]}", None, None)
    if not place:
        return unusable("the body must be a JSON object", None, None)
    param = str(place[0]) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place[1:])
    if problem["type"] == "missing":
        return unusable(f"{param} is missing", param, "missing_required_parameter")
    if problem["type"] in ("too_short", "string_too_short"):
        return unusable(f"{param} is empty", param)
    said = problem["msg"].removeprefix("Value error, ").replace(" after validation", "")
    said = said.replace("Input should be", "must be").replace("a valid i", "an i").replace("a valid ", "a ")
    return unusable(f"{param}: {said}", param, "invalid_type" if problem["type"].endswith("_type") else "invalid_value")
