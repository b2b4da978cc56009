"""The package's recipes of studies: each can be read, and its commands take its options."""

import pytest

from memreason.cli.study_options import CommandOptions
from memreason.config.recipes import RECIPES, recipe_names
from memreason.study.cells import cells_of
from memreason.study.recipe import Recipe, find_study, read_study

STUDIES = recipe_names("study")


def read(name: str) -> Recipe:
    return read_study(find_study(name))


@pytest.mark.parametrize("name", STUDIES)
def test_its_cells_are_commands_that_take_their_options(name: str) -> None:
    recipe = read(name)
    assert (RECIPES / f"{name}.yaml").read_text().startswith(f"# memreason study {name}\n")
    assert len(cells_of(recipe, CommandOptions())) >= len(recipe.arms)


def test_the_atlas_study_has_every_control_and_can_show_something() -> None:
    recipe = read("study-atlas")
    assert {arm.name for arm in recipe.arms} == {
        "zero-shot", "few-shot", "plain", "prefix", "shared", "front", "typed", "words", "random", "shuffled",
        "typed-lora", "typed-prompt", "typed-full",
    }  # fmt: skip
    shared = {option.name: option.values[0] for option in recipe.shared}
    assert len(recipe.seeds) >= 3 and int(shared["num_test"]) >= 600 and shared["dtype"] == "float32"


def test_the_test_with_new_seeds_differs_from_the_study_in_its_seeds_only() -> None:
    study, again = read("study-atlas"), read("study-atlas-options")
    one, other = ({o.name: o.values for o in recipe.shared} for recipe in (study, again))
    assert one == other and not set(study.seeds) & set(again.seeds) and again.by == "options"
    options = {arm.name: [(o.name, o.values) for o in arm.options] for arm in study.arms}
    assert all([(o.name, o.values) for o in arm.options] == options[arm.name] for arm in again.arms)


def test_the_learning_curves_differ_from_the_study_in_their_amounts_only() -> None:
    study, curves = read("study-atlas"), read("study-atlas-sizes")
    amounts = ("num_train", "per_device_train_batch_size")
    one, other = ({o.name: o.values for o in recipe.shared if o.name not in amounts} for recipe in (study, curves))
    assert one == other and len(curves.sizes) >= 3 and len(curves.arms) == 2
    options = {arm.name: [(o.name, o.values) for o in arm.options] for arm in study.arms}
    assert all([(o.name, o.values) for o in arm.options] == options[arm.name] for arm in curves.arms)


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("paper")])
def test_every_trained_arm_of_the_paper_has_its_figure(name: str) -> None:
    recipe = read(name)
    assert set(recipe.reported) == {arm.name for arm in recipe.arms}
