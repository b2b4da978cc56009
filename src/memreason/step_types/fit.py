"""`memreason step-types fit`: fits types to a dataset's training steps, and writes them to a folder, with pictures."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from memreason.config.data import DataConfig
from memreason.errors import UserError
from memreason.runtime.devices import choose_device
from memreason.runtime.files import write_jsonl
from memreason.runtime.terminal import show
from memreason.step_types.config import StepTypesConfig
from memreason.step_types.corpus import Corpus
from memreason.step_types.describe import distances_to_centre, points, telling_words
from memreason.step_types.embeddings import Source, embed_steps
from memreason.step_types.methods import find_method, fit_types
from memreason.step_types.plots import draw_losses, draw_steps
from memreason.step_types.store import RECORD, STEPS, Fit, default_folder, save
from memreason.tasks.load import load_data


def fit(config: StepTypesConfig, data: DataConfig, console: Console, progress: bool = True) -> Path:
    """Fit types to the steps of the training solutions, and return the folder that they were written to.

    Raises UserError if the folder holds a fit already, or if the data cannot be used.
    """
    method = config.selection_method
    task = load_data(data)
    reads = find_method(method).reads_embeddings
    name = (config.encoder or config.model_name_or_path) if reads else ""
    folder = Path(config.output_dir or default_folder(task.name, method, config.num_types, name))
    if (folder / RECORD).exists() and not config.overwrite_output_dir:
        raise UserError(
            f"{folder} already holds a fit: look at it with `memreason step-types show {folder}`, fit again with "
            "--overwrite_output_dir, or give another --output_dir"
        )
    corpus = Corpus([solution for solution in task.splits.get("train", []) if solution.steps])
    total, source = len(corpus.solutions), None
    if reads:
        wanted = Source(config.model_name_or_path, config.layer, config.encoder or "", config.dtype)
        corpus, source = embed_steps(
            corpus.solutions, wanted, data.model_max_length, config.batch_size, progress, choose_device(config.device)
        )
    if left_out := total - len(corpus.solutions):
        show(console, f"left out {left_out} solutions longer than --model_max_length {data.model_max_length}")
    types = fit_types(method, corpus, config.num_types, config.seed, config.train_epoch, progress)
    numbers = types.assign(corpus)
    words = telling_words(corpus.texts, numbers, types.names)
    where = points(corpus)
    steps = zip(corpus.ids, corpus.texts, numbers, distances_to_centre(where, numbers), strict=True)
    write_jsonl(
        folder / STEPS,
        ({"id": i, "type": types.names[n], "distance": round(float(d), 4), "text": text} for i, text, n, d in steps),
    )
    shares = [(numbers == i).mean() for i in range(len(types.names))]
    labels = [
        f"{name}  {share:.0%}  {', '.join(words[name][:4])}" for name, share in zip(types.names, shares, strict=True)
    ]
    layer = f", layer {source.layer}" if source and not source.encoder else ""
    title = f"{len(numbers)} steps of {task.name} by {method}" + (f" on {source.name}{layer}" if source else "")
    picture = folder / "steps.png"
    if len(numbers) > 1:
        show(console, "drawing the steps on a plane", style="dim")
        draw_steps(picture, where, numbers, labels, title)
    else:
        picture.unlink(missing_ok=True)  # of an earlier fit
        show(console, f"{picture} is left out: there is only one step")
    if curves := types.training_curves():
        draw_losses(folder / "losses.png", curves)
    save(Fit(method, types, source, task.name, config.seed, words), folder)
    return folder
