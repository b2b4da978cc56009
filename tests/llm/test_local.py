"""A transformers model as an agent: the chat template, batches, and where replies end."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from memreason.errors import UserError
from memreason.llm.base import Reply, Request
from memreason.llm.local import LocalModel
from memreason.llm.meter import Meter

TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TEMPLATE
REQUEST = Request(
    "m", ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is Paris?"}), "plan", {}, 6
)


def chat_model(base: Path, folder: Path, template: str | None = TEMPLATE) -> str:
    """A copy of a tiny base with a chat template."""
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def name(bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    return chat_model(bases["tied"], tmp_path_factory.mktemp("chat"))


def complete(model: LocalModel, *requests: Request) -> list[Reply]:
    async def ask() -> list[Reply]:
        try:
            return await asyncio.gather(*(model.complete(request) for request in requests))
        finally:
            await model.close()

    return asyncio.run(ask())


def test_a_reply_has_its_length_and_the_reason_why_it_ended(name: str) -> None:
    meter = Meter()
    (reply,) = complete(LocalModel(name, meter), REQUEST)
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 6)  # a random model does not end by itself
    assert reply.prompt_tokens > 20
    assert meter.requests == 1


def test_what_waits_at_the_same_time_is_answered_together_and_as_if_alone(name: str) -> None:
    other = replace(REQUEST, messages=({"role": "user", "content": "Is Rome the capital of all Italy, or not?"},))
    alone = [complete(LocalModel(name, Meter(), dtype="float32"), request)[0] for request in (REQUEST, other)]
    model = LocalModel(name, Meter(), batch_size=2, dtype="float32")
    sizes = []
    generate = model._generate
    model._generate = lambda requests: sizes.append(len(requests)) or generate(requests)  # type: ignore[method-assign,func-returns-value]
    assert complete(model, REQUEST, other, REQUEST) == [*alone, alone[0]]
    assert sizes == [2, 1]


def test_a_reply_stops_before_an_end_token_of_the_tokenizer_or_of_the_models_own(name: str) -> None:
    model = LocalModel(name, Meter(), dtype="float32")
    (whole,) = complete(model, REQUEST)
    written = model._tokenizer(whole.text, add_special_tokens=False)["input_ids"]
    model = LocalModel(name, Meter(), dtype="float32")
    model._ends = {*model._ends, written[0]}
    (reply,) = complete(model, REQUEST)
    assert reply.finish_reason == "stop"
    assert reply.completion_tokens < whole.completion_tokens


def test_the_models_own_end_tokens_are_known(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = chat_model(bases["tied"], tmp_path)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.generation_config.eos_token_id = [5, 7]
    model.save_pretrained(folder)
    assert {5, 7} < LocalModel(folder, Meter())._ends


def test_a_shorter_request_is_not_longer_for_its_company(name: str) -> None:
    short, long = replace(REQUEST, max_tokens=2), replace(REQUEST, max_tokens=9)
    replies = complete(LocalModel(name, Meter()), short, long)
    assert [reply.completion_tokens for reply in replies] == [2, 9]


def test_a_model_without_system_role_is_told_it_all_by_the_user(bases: dict[str, Path], tmp_path: Path) -> None:
    model = LocalModel(chat_model(bases["tied"], tmp_path, NO_SYSTEM), Meter())
    assert model._prompt(list(REQUEST.messages)) == "user: Be brief.\n\nIs Paris?\nassistant:"


def test_a_model_without_chat_template_is_refused(bases: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="no chat template"):
        LocalModel(str(bases["tied"]), Meter())


def test_a_fault_while_generating_reaches_who_asked(name: str) -> None:
    model = LocalModel(name, Meter())

    def broken(requests: list[Request]) -> list[Reply]:
        raise RuntimeError("out of memory")

    model._generate = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="out of memory"):
        complete(model, REQUEST)


def test_the_data_type_is_known_and_what_is_said_is_taken(name: str) -> None:
    assert LocalModel(name, Meter()).dtype in ("float32", "bfloat16")
    model = LocalModel(name, Meter(), dtype="bfloat16", device="cpu")
    assert model.dtype == "bfloat16" and model._model.dtype is torch.bfloat16
    with pytest.raises(UserError, match="--device 'gpu'"):
        LocalModel(name, Meter(), device="gpu")
