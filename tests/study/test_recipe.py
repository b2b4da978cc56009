"""A study's recipe is read with its lines, and what is wrong in it is named with file and line."""

from pathlib import Path

import pytest

from memreason.cli.study_options import CommandOptions
from memreason.errors import UserError
from memreason.study.cells import cells_of
from memreason.study.recipe import Recipe, read_study

RECIPE = """# memreason study mine
title: Mine
arms:
  few-shot: {base: true, k_shot: 2}
  plain: {add_soft_prompts: false, parameter_efficient_mode: lora}
  typed: {}
seeds: [1, 2]
sizes: [40, 20]
curve_arms: [typed]
baseline: plain
shared:
  dataset: atlas
  device: cpu
  max_steps: 3
explain: {num_test: 5}
reported: {typed: {test_seen: 0.78}}
"""


@pytest.fixture(scope="module")
def checked() -> CommandOptions:
    return CommandOptions()


def read(folder: Path, text: str) -> Recipe:
    path = folder / "mine.yaml"
    path.write_text(text)
    return read_study(path)


def test_each_seed_has_every_arm_before_the_next_seed_begins(tmp_path: Path, checked: CommandOptions) -> None:
    cells = cells_of(read(tmp_path, RECIPE), checked)
    of_a_seed = ["plain/seed-{}", "typed/seed-{}", "typed/size-40/seed-{}", "typed/size-20/seed-{}"]
    assert [cell.name for cell in cells] == ["few-shot/once", *(n.format(s) for s in (1, 2) for n in of_a_seed)]


def test_the_commands_are_those_that_a_user_types(tmp_path: Path, checked: CommandOptions) -> None:
    cells = {cell.name: cell for cell in cells_of(read(tmp_path, RECIPE), checked)}
    (asked,) = cells["few-shot/once"].steps
    assert asked.line("here") == (
        "memreason evaluate --model_name_or_path smollm2 --dataset atlas --num_test 100 --dtype float32 --device cpu "
        "--k_shot 2 --output_dir here/evaluation"
    )
    train, explain = cells["plain/seed-2"].steps
    assert train.arguments("my run")[-5:] == ["--seed", "2", "--output_dir", "my run", "--resume"]
    assert {"--load_best_model_at_end False", "--train_sampling_strategy random", "--add_soft_prompts false"} <= {
        " ".join(pair) for pair in zip(train.argv, train.argv[1:], strict=False)
    }
    assert explain.argv[:2] == ("explain", "{run}") and "--device" in explain.argv
    (smaller,) = cells["typed/size-20/seed-1"].steps
    assert smaller.argv[smaller.argv.index("--train_subset") + 1] == "20"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("baseline: plain", "baseline: plan", r"mine\.yaml:10: baseline: plan is none of .* did you mean plain"),
        ("seeds:", "seed:", r"mine\.yaml:7: unknown key seed; did you mean seeds"),
        ("seeds: [1, 2]", "seeds: [1, 1]", r"mine\.yaml:7: seeds: 1 stands there twice"),
        ("seeds: [1, 2]", "seeds: [1, 01]", r"mine\.yaml:7: seeds: 1 stands there twice"),
        ("sizes: [40, 20]", "sizes: [20, 020]", r"mine\.yaml:8: sizes: 20 stands there twice"),
        ("max_steps: 3", "num_train: 40", r"mine\.yaml:8: sizes: 40 must be below num_train"),
        ("curve_arms: [typed]", "measures: [acuracy]", r"mine\.yaml:9: measures: acuracy is no measure .* accuracy\?"),
        ("title: Mine", "? [title]\n: Mine", r"mine\.yaml:2: unknown key"),
        ("typed: {test_seen: 0.78}", "typed: {[test]: 0.7}, plain: 1", r"mine\.yaml:16: reported: expected"),
        (
            "  typed: {}",
            "  typed: {parameter_efficient_mode: lora, add_soft_prompts: false}",
            r"mine\.yaml:6: arm typed"
            " differs in nothing from plain",
        ),
        ("seeds: [1, 2]", "seeds: [1, x]", r"mine\.yaml:7: seeds: x is no whole number"),
        ("  typed: {}", "  typed: {num_test: 5}", r"mine\.yaml:6: option num_test: every arm is asked .* the same"),
        ("  typed: {}", "  typed: {max_steps: 9}", r"mine\.yaml:6: option max_steps: every arm is trained for as long"),
        ("  typed: {}", "  typed: {seed: 9}", r"mine\.yaml:6: option seed: the study sets it"),
        ("  typed: {}", "  typed: 5", r"mine\.yaml:6: arm typed: expected options"),
        ("  typed: {}", "  a/b: {}", r"mine\.yaml:6: an arm's name is a folder's name"),
        ("  typed: {}", "  typed: {base: false}", r"mine\.yaml:6: base: can only be true"),
        ("curve_arms: [typed]", "curve_arms: [few-shot]", r"mine\.yaml:9: curve_arms: few-shot is no arm that is tr"),
        ("baseline: plain", "match: tokens", r"mine\.yaml:10: match: tokens needs num_train_tokens"),
        ("test_seen: 0.78", "test_seen: 78", r"mine\.yaml:16: reported: 78: a share is at most 1"),
        ("  typed: {}", "  typed: {learning_rat: 1}", r"mine\.yaml:6: unknown option: learning_rat; did you mean"),
        ("k_shot: 2", "k_shot: x", r"mine\.yaml:4: --k_shot: 'x' is no whole number"),
        ("num_test: 5", "num_tests: 5", r"mine\.yaml:15: unknown option: num_tests"),
        ("mode: lora", "mode: prompt-tuning", r"mine\.yaml:5: arm plain: --parameter_efficient_mode prompt-tuning"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    old: str, new: str, message: str, tmp_path: Path, checked: CommandOptions
) -> None:
    assert old in RECIPE
    with pytest.raises(UserError, match=message):
        cells_of(read(tmp_path, RECIPE.replace(old, new)), checked)
