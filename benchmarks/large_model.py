"""A model of 8 billion random weights on one GPU: python benchmarks/large_model.py

    python benchmarks/large_model.py --shape tiny      # the same on any machine, to see that it works

Training: LoRA of rank 16 on the MLPs and new token rows, bfloat16, rows of 512-token texts without padding, as
`memreason train` does it. Prints tokens a second, the peak memory, and model-FLOPs utilisation: 4 operations a weight
and token (forward, and backward through frozen weights; input embeddings are looked up, and do not count), over the
rate of a large matrix product measured here and over --peak_tflops. Generation: the same prompts by continuous batching
and by `generate` one at a time, in turn.
"""

import argparse
import statistics
import time

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig

from memreason.benchmark.ceiling import synchronize
from memreason.config.ablations import AblationConfig
from memreason.config.model import ModelConfig
from memreason.generation.samples import Sample
from memreason.generation.scheduler import Scheduler
from memreason.kernels.prepacked_linear import packed_weights
from memreason.models.adapters import with_adapters
from memreason.models.base import SMOLLM2, resolve
from memreason.models.manifest import Manifest
from memreason.models.token_embeddings import add_tokens
from memreason.models.unit import ModelUnit
from memreason.models.weights import load_tokenizer
from memreason.planning_tokens.layout import IGNORE
from memreason.training.loss import TrainingPass

SHAPES = {
    "8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
               num_key_value_heads=8, vocab_size=128256),
    "tiny": dict(hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
                 num_key_value_heads=2, vocab_size=50000),
}  # fmt: skip
ROUNDS = 3


def make_unit(shape: str, device: str) -> ModelUnit:
    """Random weights of the shape, drawn on the device; the tokenizer is SmolLM2's."""
    config = ModelConfig(dtype="bfloat16")
    layout, tokenizer = AblationConfig().layout(config), load_tokenizer(resolve(SMOLLM2).path)
    token_ids = add_tokens(tokenizer, layout)
    llama = LlamaConfig(**SHAPES[shape], max_position_embeddings=4096, tie_word_embeddings=False, pad_token_id=0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(llama, dtype=torch.bfloat16)
        adapted = with_adapters(model, config, list(token_ids.values())).to(device)
    manifest = Manifest(
        base_model=shape, base_revision="", base_fingerprint="", dtype="bfloat16", parameter_efficient_mode="lora",
        planning_tokens=layout, token_ids=token_ids, rows=llama.vocab_size, model_max_length=1024,
    )  # fmt: skip
    return ModelUnit(adapted, tokenizer, manifest)


def matrix_rate(device: str) -> float:
    """Floating-point operations a second of a large matrix product in bfloat16."""
    size = 8192 if device == "cuda" else 1536
    a = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    seconds = []
    for _ in range(10):
        synchronize()
        start = time.perf_counter()
        a @ a
        synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def train(unit: ModelUnit, texts: int, length: int, steps: int) -> float:
    """Seconds of an optimizer step (median) over one row of ``texts`` texts of ``length`` tokens."""
    ids = torch.randint(0, 40000, (texts, length)).tolist()
    examples = [{"input_ids": one, "labels": [IGNORE] * (length // 8) + one[length // 8 :]} for one in ids]
    way = TrainingPass(unit, examples)
    print(f"without padding: {way.unpadded}; loss inside the head: {way.in_head}")
    trained = [p for p in unit.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    batch = {k: v.to(unit.device) if torch.is_tensor(v) else v for k, v in way.collate(examples).items()}
    unit.model.train()
    seconds = []
    with way.prepared():
        for _ in range(steps + 2):
            synchronize()
            start = time.perf_counter()
            (way.loss(unit.model, batch) / (texts * length)).backward()
            optimizer.step()
            optimizer.zero_grad()
            synchronize()
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def answer(unit: ModelUnit, questions: int, new_tokens: int) -> dict[str, float]:
    """Answers a second by each way (median); random weights know no end, so all are equally long."""
    prompts = torch.randint(0, 40000, (questions, 64)).tolist()
    settings = GenerationConfig(do_sample=False, min_new_tokens=new_tokens, max_new_tokens=new_tokens, pad_token_id=0)
    rates: dict[str, list[float]] = {}
    with unit.merged() as model, packed_weights(model), torch.inference_mode():
        for round_ in range(ROUNDS + 1):
            for name, asked in (("memreason", prompts), ("generate, one at a time", prompts[:2])):
                synchronize()
                start = time.perf_counter()
                if name == "memreason":
                    scheduler = Scheduler(model, -1, questions, 64 + new_tokens)
                    scheduler.prove(asked[0])
                    scheduler.waiting.extend(Sample(prompt, new_tokens) for prompt in asked)
                    with scheduler.attending():
                        while scheduler.waiting or scheduler.under_way:
                            scheduler.step()
                else:
                    for prompt in asked:
                        ids = torch.tensor([prompt], device=unit.device)
                        model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
                synchronize()
                if round_:  # the first round warms up
                    rates.setdefault(name, []).append(len(asked) / (time.perf_counter() - start))
    return {name: statistics.median(found) for name, found in rates.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--texts", type=int, default=8, help="texts in a row, and so in a pass")
    parser.add_argument("--length", type=int, default=512, help="tokens of a text")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--new_tokens", type=int, default=128)
    parser.add_argument("--peak_tflops", type=float, default=989, help="of the GPU's data sheet: H100 and H200, dense")
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    unit = make_unit(arguments.shape, device)
    parameters = sum(p.numel() for p in unit.model.parameters())
    print(f"{parameters / 1e9:.2f} billion weights on {torch.cuda.get_device_name() if device == 'cuda' else 'a CPU'}")
    seconds = train(unit, arguments.texts, arguments.length, arguments.steps)
    tokens = arguments.texts * arguments.length
    multiplied = parameters - unit.model.get_input_embeddings().weight.numel()  # those are only looked up
    done, rate = 4 * multiplied * tokens / seconds, matrix_rate(device)
    share = f", {done / (arguments.peak_tflops * 1e12):.0%} of {arguments.peak_tflops:.0f} TFLOP/s" * (device == "cuda")
    print(
        f"training: {tokens / seconds:,.0f} tokens/s; {done / rate:.0%} of the matrix rate ({rate / 1e12:.1f}){share}"
    )
    if device == "cuda":
        print(f"peak memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    rates = answer(unit, arguments.questions, arguments.new_tokens)
    alone = rates["generate, one at a time"]
    for name, found in rates.items():
        print(f"{found:8.2f} answers/s  {found / alone:6.1f}x  {name}")


if __name__ == "__main__":
    main()
