"""Kinds of file and reply that labelling reads."""

import json
import sqlite3
from pathlib import Path
from typing import Any

from fuzz.mutate import as_bytes, as_json, as_jsonl, jsonl, one_file

from memreason.label import resume
from memreason.label.config import LabelConfig
from memreason.label.convert import convert
from memreason.label.inspect import figures, read_solutions
from memreason.label.questions import QuestionAndKind, Questions
from memreason.label.rejection_reasons import Problem
from memreason.label.replies import read_facts, read_plan
from memreason.label.solutions_and_rejects import RunFiles, rejects_path
from memreason.llm.base import Reply
from memreason.llm.batch_api import _answered
from memreason.llm.cache import RequestCache
from memreason.llm.completions import read_completion
from memreason.llm.meter import FREE, Meter
from memreason.llm.openai_api import OpenAIEndpoint
from memreason.records import Question

SOLVED = [
    {"id": f"q{n}", "question": f"Is it {n}?", "answer": "True", "split": "train",
     "steps": [{"type": "memory", "text": f"Fact {n}."}, {"type": "reason", "text": "So it is."}]}
    for n in range(4)
]  # fmt: skip
QUESTIONS = [QuestionAndKind(Question(row["id"], row["question"], "True", split="train"), "boolean") for row in SOLVED]
REJECT = {**{key: SOLVED[3][key] for key in ("id", "question", "answer", "split")}, "reason": "bad_json", "detail": "x",
          "replies": [{"role": "planner", "text": "x"}]}  # fmt: skip
SETTINGS = {"planner": "scripted", "knowledge": "scripted", "order": "interleaved", "seed": 0}
CHOICE = Question("q", "What writes?", "B", ("spoon", "pen", "hat"))


def read_input(folder: Path) -> list[QuestionAndKind]:
    return list(Questions(LabelConfig(input=str(folder / "mine.jsonl"), output="out.jsonl", planner="scripted")))


def odd_questions(asked: list[QuestionAndKind]) -> str:
    for question, kind in asked:
        texts = (question.id, question.text, question.answer, question.split, *question.options)
        try:
            json.dumps(texts, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "half of a surrogate pair"
        if not question.text.strip() or not question.answer.strip() or question.answer.casefold() in ("nan", "inf"):
            return f"{question}"
        if kind == "choice" and not 2 <= len(question.options) <= 26:
            return f"{len(question.options)} options"
    return ""


def read_converted(folder: Path) -> list[str]:
    target = folder / "theirs.json"
    target.unlink(missing_ok=True)
    return convert(str(folder / "ours.jsonl"), str(target))


def make_run(folder: Path) -> None:
    output = folder / "out.jsonl"
    output.write_bytes(jsonl(*SOLVED[:3]))
    rejects_path(output).write_bytes(jsonl(REJECT))
    resume.settings_path(output).write_text(json.dumps(SETTINGS))


def go_on(folder: Path) -> int:
    """A later sitting, on a copy: it cuts off torn lines."""
    copy = folder / "copy"
    copy.mkdir(exist_ok=True)
    for path in folder.glob("out.*"):
        (copy / path.name).write_bytes(path.read_bytes())
    out = RunFiles(copy / "out.jsonl")
    with out:
        resume.begin(out, SETTINGS, overwrite=False)
        resume.catch_up(out, QUESTIONS)
    resume.begun_dtypes(out)
    return out.done


def read_reply(folder: Path) -> Any:
    text = (folder / "reply.txt").read_bytes().decode("utf-8", "replace")
    return read_plan(Reply(text), CHOICE, "choice")


def read_fact_reply(folder: Path) -> Any:
    text = (folder / "facts.txt").read_bytes().decode("utf-8", "replace")
    return read_facts(Reply(text), ("What writes?", "What holds soup?"))


def odd_texts(texts: Any) -> str:
    found = [getattr(text, "text", text) for text in texts]
    return (
        ""
        if all(isinstance(text, str) and text.strip() and text.isprintable() for text in found)
        else repr(found)[:200]
    )


def read_body(folder: Path) -> Reply:
    return read_completion(json.loads((folder / "body.json").read_bytes()))


def odd_reply(reply: Reply | None) -> str:
    if reply is None:
        return ""
    counts = (reply.prompt_tokens, reply.completion_tokens)
    if not all(isinstance(count, int) and 0 <= count < 10**12 for count in counts):
        return f"the counts {counts}"
    if not isinstance(reply.text, str) or not isinstance(reply.finish_reason, str):
        return f"{reply}"
    return "half of a surrogate pair" if any("\ud800" <= c <= "\udfff" for c in reply.text) else ""


def read_batch_line(folder: Path) -> Any:
    endpoint = OpenAIEndpoint(Meter(FREE), base_url="http://127.0.0.1:9/v1", key_variable="", structured="auto",
                              timeout=1, retries=0, down_after=9)  # fmt: skip
    return _answered(endpoint, endpoint.dialect, json.loads((folder / "line.json").read_bytes()))


def make_cache(folder: Path) -> None:
    path = folder / "replies.sqlite"
    path.unlink(missing_ok=True)
    cache = RequestCache(path)
    for n in range(30):
        cache.put(f"key{n}", "run", "planner", "model", Reply(f"text {n} " * 20, "stop", n, n), 0.01)
    cache.begin_batch("batch", "run", "planner")
    cache.close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()


def read_cache(folder: Path) -> list[Reply]:
    for name in ("replies.sqlite-wal", "replies.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    cache = RequestCache(folder / "replies.sqlite")
    try:
        cache.spent("run"), cache.usual_tokens("planner", "model"), cache.open_batches("run")
        found = [reply for n in range(30) if (reply := cache.get(f"key{n}"))]
        cache.put("new", "run", "planner", "model", Reply("x"), 0.0)
    finally:
        cache.close()
    return found


PLAN = {
    "steps": [{"type": "memory", "text": "A pen holds ink."}, {"type": "reason", "text": "Ink writes."}],
    "answer": "B",
}
MESSAGE = {"role": "assistant", "content": "text", "refusal": None}
BODY = {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}}  # fmt: skip
LINE = {"id": "b", "custom_id": "key", "response": {"status_code": 200, "request_id": "r", "body": BODY}, "error": None}

KINDS: dict[str, dict[str, Any]] = {
    "label input": dict(make=one_file("mine.jsonl", jsonl(*SOLVED)), file="mine.jsonl", form=as_jsonl, read=read_input,
                        nonsense=odd_questions, place="mine.jsonl"),
    "label inspect": dict(make=one_file("ours.jsonl", jsonl(*SOLVED)), file="ours.jsonl",
                          form=as_jsonl, place="ours.jsonl",
                          read=lambda folder: figures(read_solutions(folder / "ours.jsonl")[0])),
    "label convert": dict(make=one_file("ours.jsonl", jsonl(*SOLVED)), file="ours.jsonl",
                          form=as_jsonl, place="ours.jsonl",
                          read=read_converted),
    "label output": dict(make=make_run, file="out.jsonl", form=as_jsonl, read=go_on, place="out"),
    "label rejects": dict(make=make_run, file="out.rejects.jsonl", form=as_jsonl, read=go_on, place="out"),
    "label settings": dict(make=make_run, file="out.settings.json", form=as_json, read=go_on, place="out"),
    "plan": dict(make=one_file("reply.txt", json.dumps(PLAN).encode()), file="reply.txt", form=as_json, read=read_reply,
                 nonsense=odd_texts, refusals=(Problem,)),
    "facts": dict(make=one_file("facts.txt", b'{"facts": ["A pen does.", "A bowl does."]}'), file="facts.txt",
                  form=as_json,
                  read=read_fact_reply, nonsense=odd_texts, refusals=(Problem,)),
    "completion": dict(make=one_file("body.json", json.dumps(BODY).encode()), file="body.json",
                       form=as_json, read=read_body,
                       nonsense=odd_reply, refusals=(ValueError, RecursionError)),
    "batch line": dict(make=one_file("line.json", json.dumps(LINE).encode()), file="line.json", form=as_json,
                       read=read_batch_line, nonsense=lambda found: odd_reply(found.reply),
                       refusals=(json.JSONDecodeError, UnicodeDecodeError, RecursionError)),
    "request cache": dict(make=make_cache, file="replies.sqlite", form=as_bytes, read=read_cache, place="sqlite",
                          nonsense=lambda found: next(filter(None, map(odd_reply, found)), "")),
}  # fmt: skip
