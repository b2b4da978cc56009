"""A transformers model on this machine as an agent: `local:NAME`. It answers requests in batches."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from memreason.errors import UserError
from memreason.llm.base import Message, Reply, Request
from memreason.llm.meter import Meter
from memreason.runtime.reading import reading

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class LocalModel:
    """A chat model in memory. When it is free, it answers the requests that are waiting, as one batch.

    Decoding is greedy unless a request has a temperature. Raises UserError if the model cannot be loaded or has no chat
    template.
    """

    dtype: str
    """The data type of the weights; never ``auto``."""

    def __init__(self, name: str, meter: Meter, batch_size: int = 8, dtype: str = "auto", device: str = "auto"):
        from transformers import GenerationConfig

        from memreason.models.base import resolve
        from memreason.models.dtypes import choose_dtype, dtype_name
        from memreason.models.weights import load_causal_lm, load_tokenizer
        from memreason.runtime.devices import choose_device

        base = resolve(name).path
        self.endpoint = f"local:{name}"
        self._meter = meter
        self._batch_size = batch_size
        self._tokenizer: PreTrainedTokenizerBase = load_tokenizer(base)
        if not self._tokenizer.chat_template:
            raise UserError(f"local:{name} has no chat template, so it cannot follow instructions; use a chat model")
        self._tokenizer.padding_side = "left"
        place = choose_device(device)
        torch_dtype = choose_dtype(dtype, base, place)
        self.dtype = dtype_name(torch_dtype)
        self._model: PreTrainedModel = load_causal_lm(base, torch_dtype, device=place).eval()
        # Some chat models end their turn with a special token, not with the tokenizer's end token.
        turn_ends: Any = None
        with contextlib.suppress(OSError):  # no generation_config.json
            turn_ends = GenerationConfig.from_pretrained(base).eos_token_id
        more = turn_ends if isinstance(turn_ends, list) else [turn_ends]
        self._ends = {self._tokenizer.eos_token_id, *more} - {None}
        self._waiting: asyncio.Queue[tuple[Request, asyncio.Future[Reply]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """The reply, when the batch with this request is done. Raises Stopped as `Meter.admit` does."""
        await self._meter.admit(request)
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        await self._waiting.put((request, future))
        return await future

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(0)  # let requests that become ready at the same time join the batch
            while len(batch) < self._batch_size and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                replies = await asyncio.to_thread(self._generate, [request for request, _ in batch])
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error if isinstance(error, Exception) else RuntimeError(str(error)))
                if not isinstance(error, Exception):
                    raise
            else:
                for (_, future), reply in zip(batch, replies, strict=True):
                    if not future.done():
                        future.set_result(reply)

    def _generate(self, requests: list[Request]) -> list[Reply]:
        import torch

        prompts = [self._prompt(list(request.messages)) for request in requests]
        inputs: Any = self._tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        length = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            outputs: Any = self._model.generate(  # type: ignore[operator]
                **inputs.to(self._model.device),
                max_new_tokens=max(r.max_tokens for r in requests),
                do_sample=requests[0].temperature > 0,
                pad_token_id=self._tokenizer.pad_token_id,
                eos_token_id=sorted(self._ends),
                **({"temperature": requests[0].temperature} if requests[0].temperature > 0 else {}),
            )
        replies = []
        for row, request, prompt_mask in zip(outputs[:, length:], requests, inputs["attention_mask"], strict=True):
            ids = row.tolist()
            end = next((i for i, token in enumerate(ids) if token in self._ends), len(ids))
            written = ids[: min(end, request.max_tokens)]
            finish = "stop" if end < min(len(ids), request.max_tokens) else "length"
            text = self._tokenizer.decode(written, skip_special_tokens=True)
            replies.append(Reply(str(text), finish, int(prompt_mask.sum()), len(written)))
        return replies

    def _prompt(self, messages: list[Message]) -> str:
        from jinja2 import TemplateError

        render: Any = self._tokenizer.apply_chat_template
        with reading(f"the chat template of {self.endpoint} cannot be used", "use another model"):
            try:
                return render(messages, tokenize=False, add_generation_prompt=True)
            except TemplateError:  # some chat templates have no system role
                system, user, *rest = messages
                user = {"role": "user", "content": f"{system['content']}\n\n{user['content']}"}
                return render([user, *rest], tokenize=False, add_generation_prompt=True)

    async def close(self) -> None:
        """Stop answering."""
        if self._worker:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
