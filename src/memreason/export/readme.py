"""The README.md in an exported folder: what it is, how to use it, and what was verified. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memreason.export.run_record import base_name
from memreason.models.manifest import Manifest
from memreason.planning_tokens.prompt import CHAT

_MERGED = """# {name}

Written by `memreason export --to merged`: {base}, with the planning tokens and adapters of a
memreason checkpoint merged into its weights. It is a plain {dtype} model, and programs that use it need nothing of
memreason. The code below runs in the folder that holds `{name}`.

## Use it

With transformers:

```python
from transformers import pipeline

model = pipeline("text-generation", model={name!r})
message = {{"role": "user", "content": {message!r}}}
print(model([message], do_sample=False)[0]["generated_text"][-1]["content"])
```

With vLLM, `vllm serve {name}`; then `/v1/chat/completions` takes the same message.

- The message is the question. Options follow on a second line, as in `Options: A. Seoul B. Tokyo`. The chat template
  writes the prompt as training did; {conversation}.
- An answer is a line for each step, which begins with the step's planning tokens, and at last a line
  `The answer is: …`. {prefix}
- `generation_config.json` asks for greedy decoding, up to {limit} tokens with the prompt, as in training. Its
  temperature of 0 is for servers; transformers says at loading that it ignores it.

## Verified

Loaded by transformers alone in a process of its own:

{checks}
{notes}"""


def merged_readme(name: str, message: str, manifest: Manifest, checks: Mapping[str, Any], notes: Sequence[str]) -> str:
    """The text for a merged model in a folder called ``name``. ``message`` is the example's question."""
    layout = manifest.planning_tokens
    alone = layout.prompt_template != CHAT
    prefix = "".join(layout.prefix)
    return _MERGED.format(
        name=name,
        base=base_with_revision(manifest),
        dtype=manifest.dtype,
        message=message,
        conversation="earlier questions and answers become solved examples, and a system message is refused"
        if alone
        else "it stands around the base model's own template",
        prefix=f"The first line's `{prefix}` is the end of the prompt, and so not in the answer." if prefix else "",
        limit=manifest.model_max_length,
        checks=listed(f"{what.replace('_', ' ')}: {figure}" for what, figure in checks.items()),
        notes=f"\n## Know\n\n{listed(notes)}" if notes else "",
    )


_ADAPTER = """# {name}

Written by `memreason export --to adapter`: what a memreason checkpoint trained on {base}, as PEFT loads it.
The code below runs in the folder that holds `{name}`.

## Use it

```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained({name!r}, dtype="{dtype}")
tokenizer = AutoTokenizer.from_pretrained({name!r})
chat = [{{"role": "user", "content": {message!r}}}]
prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**prompt, do_sample=False, max_length={limit}, eos_token_id={end})[0]
print(tokenizer.decode(written[prompt["input_ids"].shape[1] :], skip_special_tokens=True))
```

The base model is what `adapter_config.json` names, which is fetched from the hub at the first use; where there is no
hub, put the folder of a copy there. The chat template puts a question as training did; options follow it on a second
line, as in `Options: A. Seoul B. Tokyo`.

## Servers

{notes}
## Verified

Loaded by PEFT alone in a process of its own:

{checks}"""


def adapter_readme(
    name: str, message: str, manifest: Manifest, end_id: int, checks: Mapping[str, Any], notes: Sequence[str]
) -> str:
    """The text for an adapter in a folder called ``name``. ``message`` is the example's question."""
    return _ADAPTER.format(
        name=name,
        base=base_with_revision(manifest),
        dtype=manifest.dtype,
        message=message,
        limit=manifest.model_max_length,
        end=end_id,
        checks=listed(f"{what.replace('_', ' ')}: {figure}" for what, figure in checks.items()),
        notes=listed(notes),
    )


def base_with_revision(manifest: Manifest) -> str:
    """The base model's name on the hub, with its revision if known; else the name that the checkpoint gives."""
    name = base_name(manifest)
    return f"{name} ({manifest.hub_revision})" if manifest.hub_revision else name


def listed(lines: Any) -> str:
    """``lines`` as a list of Markdown."""
    return "".join(f"- {line}\n" for line in lines)
