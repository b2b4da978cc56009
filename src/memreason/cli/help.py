"""What the command line says of itself: commands, and examples of each."""

from __future__ import annotations

FIRST_QUESTION = "Is Sydney the capital of Australia?"
"""About a country that the demo is trained on, and whose capital is another city; the demo answers it rightly."""

UNSEEN_QUESTION = "Kenya uses the rupee. Is this true?"
"""About a country that occurs in none of the demo's training questions: the lesson that inference is not knowledge."""

COMMANDS = {
    "tasks": "what datasets there are, with counts and an example",
    "label": "write memory/reason solutions for questions, by two LLM agents; `label inspect`, `label convert`",
    "step-types": "infer types for a dataset's unlabelled steps, and look at them",
    "train": "fine-tune a model on a dataset, evaluate it, and save a checkpoint",
    "evaluate": "answer a dataset's test questions with a checkpoint or a base model",
    "ask": "ask a checkpoint one question",
    "score": "score texts that any model wrote, without loading a model",
    "benchmark": "how fast training and generation are here, beside other ways to do the same work",
}

HELP = f"""usage: memreason COMMAND [options]

Language models that keep recalling facts and reasoning about them apart: every step they
write is marked, by trained planning tokens, as `memory` or `reason`.

commands, in the order of the work:
{{commands}}

a first run, on any laptop:
  memreason train --config demo
  memreason ask "{FIRST_QUESTION}"

`memreason COMMAND --help` explains a command's options, `memreason train --help-all` Hugging
Face's too. Every option can also stand in a YAML file: --config FILE; what stands on the command
line wins.
"""

EXAMPLES = {
    "tasks": """examples:
  memreason tasks
  memreason tasks strategyqa --data_path data/agent
  memreason tasks gsm8k                              # from the hub; --data_path FOLDER for files
  memreason tasks jsonl --data_path mine.jsonl --as_trained --plan_first True      # the text that training reads
""",
    "label": """examples:
  memreason label --task atlas --planner scripted --output runs/try.jsonl         # no model, no cost
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --dry_run
  memreason label --task strategyqa --planner gpt-4o-mini --output strategyqa.jsonl --max_cost 5
  memreason label --input mine.jsonl --planner local:smollm2 --output mine.labelled.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini
  memreason label convert strategyqa.jsonl strategyqa.json     # the paper's form; and back
  memreason train --dataset jsonl --data_path strategyqa.jsonl

The same command goes on where it stopped: after a kill, a budget stop, a full disk. Every reply is
kept in a cache, and paid for once. Keys come from the environment (OPENAI_API_KEY), never from flags.
Exit code 3: stopped by the budget, or because the endpoint is down; what is done is on disk.
""",
    "label inspect": """How good labelled solutions are: counts, lengths, a sample, and what a reader makes of them.

examples:
  memreason label inspect strategyqa.jsonl
  memreason label inspect strategyqa.jsonl --reader gpt-4o-mini     # are the steps enough to answer from?
""",
    "label convert": """usage: memreason label convert FROM TO

Labelled solutions in the paper's form (.json, with cot_steps) to ours (.jsonl), or back.
""",
    "step-types": """examples:
  memreason step-types fit --dataset gsm8k --data_path data/gsm8k --selection_method k-means --num_types 5
  memreason step-types show runs/step-types/gsm8k/smollm2/k-means-5
  memreason train --dataset gsm8k --data_path data/gsm8k --extract_step_type_tokens k-means --num_plan_types 5
""",
    "train": """examples:
  memreason train --config demo
  memreason train --dataset jsonl --data_path mine.jsonl --model_name_or_path Qwen/Qwen2.5-0.5B
  memreason train --dataset strategyqa --data_path data/agent --add_soft_prompts False   # the baseline
  memreason train --dataset gsm8k --extract_step_type_tokens none --use_calculator True
  memreason train --config demo --resume                     # after a kill
  torchrun --standalone --nproc_per_node 8 -m memreason train --config llama-8b-eight-gpus   # on 8 GPUs

Below are memreason's own options and the most used ones of Hugging Face's TrainingArguments; --help-all shows them all.
A switch takes True or False (--add_soft_prompts False); alone it means True.
""",
    "evaluate": """examples:
  memreason evaluate --model_name_or_path runs/demo                # the checkpoint knows the rest
  memreason evaluate --model_name_or_path smollm2 --dataset atlas --k_shot 4 --output_dir runs/base
""",
    "ask": f"""examples:
  memreason ask "{FIRST_QUESTION}"              # of the checkpoint in runs/demo
  memreason ask "{UNSEEN_QUESTION}"              # a country that the demo never saw: see what it recalls
  memreason ask "{FIRST_QUESTION}" --model_name_or_path runs/demo
  memreason ask "Which city is the capital of Japan?" --options Seoul Tokyo Beijing Osaka
""",
    "score": """examples:
  memreason score --dataset strategyqa --data_path data/agent --generations texts.json
  memreason score --dataset atlas --num_countries 45 --num_train 800 --num_validation 60 --num_test 100 \\
      --generations runs/demo/evaluation/traces.jsonl
""",
    "benchmark": """Training: the same optimizer steps on the same examples, from the same base model with the same
planning tokens and adapters, by memreason, by transformers' Trainer with PEFT, and by TRL. Generation:
greedy answers to the same questions by the same weights, by memreason, by transformers' `generate` and
continuous batching, by llama.cpp and by vLLM. What is not installed is left out and named. Everyone works
in a process of their own; turns go A B C A B C, figures are medians over the rounds, with the least and
the most behind them.

Tokens are real ones: padding and end tokens do not count. Shares are of the rates of a large matrix product and of
copying memory, measured in every round: a training step needs 4 operations a weight and token (forward, and backward
through frozen weights), an answer 2. Peak memory is the process's, loading and libraries included. The last column
says how many times as fast memreason does the same work. "Traces that differ" are counted against one question at a
time in the same data type; for that itself, against float32.

examples:
  memreason benchmark --quick                                               # does it work here?
  memreason benchmark --model_name_or_path runs/demo --output benchmark.json
  memreason benchmark --what training --only memreason trainer --dataset strategyqa --data_path data/agent
  memreason benchmark --what generation --model_name_or_path runs/demo --gguf demo.gguf
  memreason benchmark --model_name_or_path Qwen/Qwen2.5-7B --keep_loaded False    # one model in memory at a time
""",
}
