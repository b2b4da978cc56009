"""What endpoints send with status 200: a reply, or an error in one of many forms."""

from typing import Any

import pytest

from memreason.llm.base import Reply
from memreason.llm.completions import ProviderError, error_words, is_filtered, read_completion

USAGE = {"prompt_tokens": 3, "completion_tokens": 4}


def reply(message: dict[str, Any], reason: str | None = "stop", **more: Any) -> Reply:
    return read_completion({"choices": [{"message": message, "finish_reason": reason}], "usage": USAGE, **more})


def refused(body: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        read_completion(body)
    return caught.value


class TestErrors:
    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"error": {"message": "no more today", "code": 429}}, 429),
            ({"error": {"message": "no more today", "code": "502"}, "user_id": "u"}, 502),
            ({"error": {"message": "no more today", "type": "server_error", "code": None}}, None),
            ({"error": "no more today"}, None),
            ({"error": {"message": "no more today"}, "choices": None}, None),
            ({"error": {"message": "no more today"}, "choices": [{"message": {"content": "hi"}}]}, None),
            ({"object": "error", "message": "no more today", "type": "BadRequestError", "code": 400}, 400),
            ({"type": "error", "error": {"type": "overloaded_error", "message": "no more today"}}, None),
            ([{"error": {"code": 429, "message": "no more today", "status": "RESOURCE_EXHAUSTED"}}], 429),
            ({"detail": "no more today"}, None),
            ({"choices": [], "message": "no more today"}, None),
            ({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "no more today"}}, None),
            ({"choices": [{"message": {"content": ""}, "finish_reason": "error",
                           "error": {"code": 502, "message": "no more today"}}]}, 502),
            ({"error": {"message": "Provider returned error", "code": 500, "metadata": {"raw": "no more today"}}}, 500),
            ({"result": "no more today"}, None),
        ],
        ids=str,
    )  # fmt: skip
    def test_an_error_keeps_its_words_and_its_status(self, body: Any, status: int | None) -> None:
        error = refused(body)
        assert "no more today" in str(error) and error.status == status

    @pytest.mark.parametrize("reason", ["error", "ERROR", "abort", "network_error", "insufficient_system_resource"])
    def test_a_reply_that_was_broken_off_by_a_fault_is_no_reply(self, reason: str) -> None:
        body = {"choices": [{"message": {"content": '{"steps": ['}, "finish_reason": reason}], "usage": None}
        assert reason in str(refused(body))

    def test_words_are_found_in_bodies_of_every_form(self) -> None:
        assert error_words({"error": {"message": "a"}}) == error_words({"message": "a"}) == error_words("a") == "a"
        assert error_words([{"error": {"message": "a"}}]) == "a"
        assert error_words({"error": {"code": 7}}) == '{"code": 7}'


class TestContent:
    def test_parts_are_joined_and_thoughts_among_them_left_out(self) -> None:
        parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}, "b",
                 {"type": "output_text", "text": "c"}]  # fmt: skip
        assert reply({"content": parts}).text == "abc"
        assert reply({"content": []}).text == ""

    @pytest.mark.parametrize("content", [7, [7], [None], [{"type": "text"}], [{"type": "text", "text": 7}]], ids=str)
    def test_content_of_another_kind_is_a_failure(self, content: Any) -> None:
        with pytest.raises(ProviderError, match="no chat completion"):
            reply({"content": content})

    @pytest.mark.parametrize(
        ("field", "value"),
        [("reasoning_content", "the text"), ("reasoning", "the text"), ("thinking", "the text"),
         ("tool_calls", [{"type": "function", "function": {"name": "f", "arguments": "the text"}}]),
         ("function_call", {"name": "f", "arguments": "the text"})],
    )  # fmt: skip
    @pytest.mark.parametrize("content", [None, "", []])
    def test_without_content_the_text_is_that_of_the_field_where_it_stands(
        self, field: str, value: Any, content: Any
    ) -> None:
        assert reply({"content": content, field: value}) == Reply("the text", field, 3, 4)

    def test_beside_content_thoughts_are_not_read(self) -> None:
        assert reply({"content": "said", "reasoning_content": "thought"}).text == "said"
        assert reply({"content": None, "reasoning_content": "thought"}, "length").finish_reason == "length"

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [("MAX_TOKENS", "length"), ("model_length", "length"), ("SAFETY", "content_filter"), ("eos", "eos"),
         (None, "stop"), ("sensitive", "content_filter")],
    )  # fmt: skip
    def test_why_a_reply_ended_has_one_name(self, theirs: str | None, ours: str) -> None:
        assert reply({"content": "x"}, theirs).finish_reason == ours

    @pytest.mark.parametrize("count", [-1, 10**30, None, 1e300])
    def test_a_count_that_cannot_be_one_is_counted_here(self, count: Any) -> None:
        read = reply({"content": "x" * 40}, usage={"prompt_tokens": count, "completion_tokens": count})
        assert read.prompt_tokens == 0 and read.completion_tokens in (0, 10)

    def test_halves_of_characters_reach_no_file(self) -> None:
        read = reply({"content": [{"type": "text", "text": "a \ud83d"}]}, "st\ud83dop")
        assert (read.text, read.finish_reason) == ("a ?", "st?op")


FILTERS = [
    '{"error": {"code": "content_filter", "message": "The response was filtered"}}', "Content Exists Risk",
    "ResponsibleAIPolicyViolation", "data_inspection_failed", "Your input was flagged for harassment",
    "Invalid prompt: your prompt was flagged as potentially violating our usage policy",
    "Output blocked by content filtering policy", "openai/x requires moderation on azure",
    "rejected by our safety system",
]  # fmt: skip
OTHERS = [
    "maximum context length is 4096 tokens", "invalid schema for response_format", "model not found", "too long",
    "the policy of retries", "messages.content must be a string", "Unsupported parameter: temperature",
]  # fmt: skip


@pytest.mark.parametrize("said", FILTERS)
def test_a_content_filter_is_recognised_by_its_words(said: str) -> None:
    assert is_filtered(said)


@pytest.mark.parametrize("said", OTHERS)
def test_other_refusals_are_not_taken_for_one(said: str) -> None:
    assert not is_filtered(said)
