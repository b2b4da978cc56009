"""Other engines, which take part if they are installed: llama.cpp and vLLM."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence

import torch

from memreason.benchmark.workload import Work


def llama_cpp(work: Work, passes: list[int]) -> Callable[[Sequence[int]], list[list[int]]]:
    """llama.cpp on the file that `--gguf` names, one question at a time."""
    from llama_cpp import Llama

    end_id = work.layout.end_id(work.tokenizer())
    model = Llama(
        str(work.config.gguf), n_ctx=work.limit, n_threads=torch.get_num_threads(), n_gpu_layers=-1, verbose=False
    )

    def answer(numbers: Sequence[int]) -> list[list[int]]:
        written = []
        for n in numbers:
            model.reset()
            ids: list[int] = []
            for id in model.generate(work.prompts[n], temp=0.0, repeat_penalty=1.0):
                passes.append(1)
                ids.append(id)
                if id == end_id or len(work.prompts[n]) + len(ids) >= work.limit:
                    break
            written.append(ids)
        return written

    return answer


def vllm(work: Work, passes: list[int]) -> Callable[[Sequence[int]], list[list[int]]]:
    """vLLM on the merged model: gets all questions at once, and caches no prompts from the last turn."""
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # in this process, so that its memory is counted
    from vllm import LLM, SamplingParams

    folder = tempfile.mkdtemp(prefix="memreason-benchmark-")
    unit = work.unit(work.dtype)
    end_id = unit.end_id
    unit.tokenizer.save_pretrained(folder)
    unit.merge().save_pretrained(folder)
    del unit
    torch.cuda.empty_cache()  # does nothing without a GPU
    model = LLM(
        folder,
        dtype=work.dtype,
        skip_tokenizer_init=True,
        generation_config="vllm",  # not the model's own settings, with which it might sample
        max_model_len=work.limit,
        max_num_seqs=work.config.per_device_eval_batch_size,
        enable_prefix_caching=False,
        gpu_memory_utilization=0.5,
    )

    def answer(numbers: Sequence[int]) -> list[list[int]]:
        prompts = [{"prompt_token_ids": work.prompts[n]} for n in numbers]
        settings = [
            SamplingParams(
                temperature=0.0, max_tokens=work.limit - len(work.prompts[n]), stop_token_ids=[end_id],
                ignore_eos=True, detokenize=False,
            )
            for n in numbers
        ]  # fmt: skip
        return [list(result.outputs[0].token_ids) for result in model.generate(prompts, settings, use_tqdm=False)]

    return answer
