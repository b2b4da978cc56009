"""A script for a process of its own: loads a model folder as others would, and computes with it.

It imports nothing of memreason. `verify.in_fresh_process` starts it with the name of a folder as its only argument;
`job.json` is read there, and `result.json` and `logits.safetensors` are written. For each answer, it prints a line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline
from transformers.utils import logging


@torch.inference_mode()
def run(job: dict[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """(what is compared as JSON, logits by the number of the text)."""
    torch.set_num_threads(job["threads"])
    pipe: Any = None
    if job["base"]:
        model, tokenizer = load_adapter(job)
    else:
        pipe = pipeline("text-generation", model=job["folder"], dtype="auto", device=torch.device(job["device"]))
        model, tokenizer = pipe.model, pipe.tokenizer
    logits = {}
    for number, (ids, positions) in enumerate(zip(job["texts"], job["positions"], strict=True)):
        every = model(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits
        logits[str(number)] = every[0, positions].float().cpu().contiguous()
    prompts: list[list[int]] = []
    answers: list[str] = []
    for message in job["messages"]:
        chat = [{"role": "user", "content": message}]
        prompts.append(list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)))
        if len(answers) < job["answers"]:
            answers.append(pipe(chat)[0]["generated_text"][-1]["content"])
            print(len(answers), flush=True)
    result = {"prompts": prompts, "answers": answers, "dtype": str(model.dtype).removeprefix("torch.")}
    return result | {"memreason": "memreason" in sys.modules}, logits


def load_adapter(job: dict[str, Any]) -> tuple[Any, Any]:
    """The base model with the adapter on it, as PEFT's `AutoPeftModelForCausalLM` loads it, and its tokenizer."""
    from peft import PeftModel

    tokenizer = AutoTokenizer.from_pretrained(job["folder"])
    base = AutoModelForCausalLM.from_pretrained(job["base"], dtype=job["dtype"]).to(torch.device(job["device"]))
    if len(tokenizer) > base.get_input_embeddings().weight.shape[0]:
        base.resize_token_embeddings(len(tokenizer))
    model = PeftModel.from_pretrained(base, job["folder"]).eval()
    if getattr(base.get_output_embeddings(), "bias", None) is not None:
        return model.merge_and_unload(), tokenizer  # PEFT leaves that bias out beside trained rows
    return model, tokenizer


if __name__ == "__main__":
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    work = Path(sys.argv[1])
    result, logits = run(json.loads((work / "job.json").read_text(encoding="utf-8")))
    save_file(logits, work / "logits.safetensors")
    (work / "result.json").write_text(json.dumps(result), encoding="utf-8")
