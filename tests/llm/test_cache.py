"""The request cache: what was paid for is kept, whatever happens next."""

import errno
import os
import random
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from memreason.errors import UserError
from memreason.llm.base import Reply, Request
from memreason.llm.cache import RequestCache, Spent

REPLY = Reply("text with ünïcödé 🦒 and\nlines", "stop", 10, 20)
REQUEST = Request("m", ({"role": "user", "content": "hello"},), "plan", {"type": "object"})


@pytest.fixture
def cache(tmp_path: Path) -> RequestCache:
    return RequestCache(tmp_path / "deep" / "requests.sqlite")


class TestKey:
    @pytest.mark.parametrize(
        "change",
        [
            {"model": "other"},
            {"messages": ({"role": "user", "content": "hello!"},)},
            {"messages": ({"role": "system", "content": "hello"},)},
            {"form": "facts"},
            {"schema": {}},
            {"max_tokens": 7},
            {"temperature": 0.5},
            {"extra": {"seed": 1}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_everything_that_changes_the_answer_changes_the_key(self, change: dict) -> None:
        assert replace(REQUEST, **change).key("e") != REQUEST.key("e")

    def test_the_same_question_to_another_endpoint_is_another_request(self) -> None:
        assert REQUEST.key("http://a/v1") != REQUEST.key("http://b/v1")

    def test_half_a_character_has_a_key_too(self) -> None:
        assert replace(REQUEST, model="a \ud83d").key("e") != replace(REQUEST, model="a \ud83e").key("e")

    def test_the_same_request_has_the_same_key_always(self) -> None:
        assert replace(REQUEST, extra={"a": 1, "b": 2}).key("e") == replace(REQUEST, extra={"b": 2, "a": 1}).key("e")


class TestReplies:
    def test_a_reply_comes_back_as_it_was_put_also_after_the_file_is_opened_anew(self, cache: RequestCache) -> None:
        cache.put("k", "run", "planner", "m", REPLY, 0.5)
        assert cache.get("k") == REPLY
        assert RequestCache(cache.path).get("k") == REPLY
        assert cache.get("other") is None

    def test_a_reply_is_on_file_without_closing(self, cache: RequestCache) -> None:
        cache.put("k", "run", "planner", "m", REPLY, 0.5)
        seen = sqlite3.connect(cache.path).execute("SELECT text FROM replies").fetchall()
        assert seen == [(REPLY.text,)]

    def test_the_first_reply_stays(self, cache: RequestCache) -> None:
        cache.put("k", "run", "planner", "m", REPLY, 0.5)
        cache.put("k", "run", "planner", "m", Reply("other"), 0.5)
        assert cache.get("k") == REPLY

    def test_two_open_caches_share_one_file(self, cache: RequestCache) -> None:
        other = RequestCache(cache.path)
        cache.put("a", "run", "planner", "m", REPLY, 0.5)
        other.put("b", "run", "planner", "m", REPLY, 0.5)
        assert other.get("a") == cache.get("b") == REPLY


class TestPrivacy:
    """What is asked is the user's own, and so are the replies."""

    def test_nobody_but_the_owner_can_read_it_whatever_the_umask(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            cache = RequestCache(tmp_path / "requests.sqlite")
            cache.put("k", "run", "planner", "m", REPLY, 0.5)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        finally:
            os.umask(before)
        assert "requests.sqlite" in modes and set(modes.values()) == {0o600}

    @pytest.mark.parametrize(("mode", "becomes"), [(0o644, 0o600), (0o660, 0o660), (0o666, 0o600)])
    def test_an_open_one_is_closed_and_one_shared_with_a_group_stays_so(
        self, cache: RequestCache, mode: int, becomes: int
    ) -> None:
        cache.close()
        cache.path.chmod(mode)
        RequestCache(cache.path)
        assert stat.S_IMODE(cache.path.stat().st_mode) == becomes


class TestSpent:
    def test_it_is_summed_over_all_sittings_of_a_run_and_over_no_other_run(self, cache: RequestCache) -> None:
        cache.put("a", "run", "planner", "m", REPLY, 0.5)
        cache.put("b", "run", "knowledge", "n", REPLY, 0.25)
        cache.put("c", "other", "planner", "m", REPLY, 8.0)
        assert RequestCache(cache.path).spent("run") == Spent(2, 60, 0.75)
        assert cache.spent("none") == Spent(0, 0, 0.0)

    def test_the_usual_length_of_replies_is_by_role_and_model(self, cache: RequestCache) -> None:
        cache.put("a", "run", "planner", "m", Reply("x", "stop", 10, 20), 0)
        cache.put("b", "run", "planner", "m", Reply("x", "stop", 30, 40), 0)
        cache.put("c", "run", "knowledge", "m", Reply("x", "stop", 1000, 1000), 0)
        assert cache.usual_tokens("planner", "m") == (2, 20.0, 30.0)
        assert cache.usual_tokens("planner", "other") == (0, 0.0, 0.0)


class TestBatches:
    def test_a_batch_is_known_from_before_it_is_submitted_until_it_is_collected(self, cache: RequestCache) -> None:
        cache.begin_batch("name", "run", "planner")
        assert cache.open_batches("run") == [("name", "planner", None)]
        cache.name_batch("name", "batch_1")
        assert RequestCache(cache.path).open_batches("run") == [("name", "planner", "batch_1")]
        assert cache.open_batches("other") == []
        cache.end_batch("name", "collected")
        assert cache.open_batches("run") == []


class TestBadFiles:
    def test_a_file_that_is_no_cache_is_refused_with_the_flag_to_name_another(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("not a database at all, but long enough to be taken for one" * 100)
        with pytest.raises(UserError, match=r"notes\.txt.*--request_cache"):
            RequestCache(path)

    def test_so_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="--request_cache"):
            RequestCache(tmp_path)

    def test_so_is_the_database_of_another_program(self, tmp_path: Path) -> None:
        path = tmp_path / "other.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE replies (id INTEGER)")
        with pytest.raises(UserError, match="--request_cache"):
            RequestCache(path)
        database = sqlite3.connect(path, timeout=0)
        database.execute("PRAGMA journal_mode = DELETE")  # which it would refuse if we still had it open
        database.close()

    def test_so_is_one_whose_table_is_a_view_or_has_other_columns(self, cache: RequestCache) -> None:
        cache.close()
        with sqlite3.connect(cache.path) as database:
            database.execute("ALTER TABLE batches RENAME COLUMN started TO begun")
        with pytest.raises(UserError, match=r"batches is not one of ours.*--request_cache"):
            RequestCache(cache.path)
        with sqlite3.connect(cache.path) as database:
            database.executescript(
                "ALTER TABLE batches RENAME COLUMN begun TO started; ALTER TABLE replies RENAME TO kept;"
                "CREATE VIEW replies AS SELECT * FROM kept"
            )
        with pytest.raises(UserError, match="--request_cache"):
            RequestCache(cache.path)

    @pytest.mark.parametrize(
        "damage",
        ["UPDATE replies SET text = CAST(x'61ff62' AS TEXT)", "UPDATE replies SET text = x'00ff'",
         "UPDATE replies SET prompt_tokens = 'many'", "UPDATE replies SET completion_tokens = NULL",
         "UPDATE replies SET finish_reason = NULL", "UPDATE replies SET prompt_tokens = -1"],
    )  # fmt: skip
    def test_a_reply_that_is_none_is_never_handed_out(self, cache: RequestCache, damage: str) -> None:
        cache.put("k", "run", "planner", "m", REPLY, 0.5)
        cache._db.execute(damage)
        with pytest.raises(UserError, match="--request_cache"):
            cache.get("k")

    def test_damaged_sums_and_batches_are_refused_too(self, cache: RequestCache) -> None:
        cache.put("k", "run", "planner", "m", REPLY, 0.5)
        cache._db.execute("UPDATE replies SET cost = 9e999")
        with pytest.raises(UserError, match="a cost in it"):
            cache.spent("run")
        cache.begin_batch("name", "run", "planner")
        cache._db.execute("UPDATE batches SET role = x'00'")
        with pytest.raises(UserError, match="a batch in it"):
            cache.open_batches("run")

    def test_bytes_changed_anywhere_end_in_replies_as_they_were_or_in_one_kind_of_error(self, tmp_path: Path) -> None:
        whole = RequestCache(tmp_path / "whole.sqlite")
        for number in range(20):
            whole.put(f"k{number}", "run", "planner", "m", Reply(f"text {number}"), 0.0)
        whole.close()
        content, draw, refused = (tmp_path / "whole.sqlite").read_bytes(), random.Random(0), 0
        for trial in range(100):
            path = tmp_path / f"{trial}.sqlite"
            damaged = bytearray(content)
            for _ in range(draw.choice((1, 3, 30))):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            path.write_bytes(damaged[: draw.choice((len(damaged), len(damaged), draw.randrange(len(damaged))))])
            try:
                cache = RequestCache(path)
                found = [cache.get(f"k{number}") for number in range(20)]
                assert all(reply is None or isinstance(reply.text, str) for reply in found)
                cache.spent("run"), cache.usual_tokens("planner", "m"), cache.open_batches("run")
                cache.put("new", "run", "planner", "m", REPLY, 0.0)
            except UserError as error:
                refused += 1
                assert str(path) in str(error) and "--request_cache" in str(error) and str(error).isprintable()
        assert refused > 20

    def test_a_full_disk_is_called_one(self, cache: RequestCache) -> None:
        pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
        cache._db.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(OSError, match="disk is full") as caught:
            for number in range(100):
                cache.put(f"k{number}", "run", "planner", "m", Reply("x" * 4000), 0.0)
        assert caught.value.errno == errno.ENOSPC
        assert cache.get("k0") == Reply("x" * 4000)
