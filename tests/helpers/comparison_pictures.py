"""Pictures of comparisons with two and with twelve arms, long and odd names among them."""

from dataclasses import replace

from helpers.comparisons import LENGTH, SEVERAL, SINGLE

from memreason.compare.show import forest
from memreason.compare.show.curves import Curve, Point, curves

ODD = 'arm <b>"x"</b> & with/a-name_that is very long and then goes on for some more lines, three or four of them'
NAMES = ("plain", ODD, "プレーン" * 12, "\u202eright to left\x00", *(f"arm-{number}" for number in range(9)))


def many() -> dict:
    """12 arms in two splits, one arm in only one of them."""
    arms = tuple(replace(SEVERAL.arms[0], name=name, value=0.4 + 0.04 * at) for at, name in enumerate(NAMES))
    pairs = tuple(
        replace(SEVERAL.comparisons[0], second=name, difference=step - 0.2, interval=(step - 0.25, step - 0.16))
        for name, step in zip(NAMES[1:], (0.05 * at for at in range(20)), strict=False)
    )
    seen = replace(SEVERAL, arms=arms, comparisons=pairs)
    return {"test_seen": seen.to_json(), "test_unseen": replace(seen, comparisons=pairs[:-1]).to_json()}


def learning() -> list[Curve]:
    return [
        Curve(name, [Point(x, 0.9 - 2 * x**-0.5 - at / 40, (0.88 - 2 * x**-0.5 - at / 40, 0.93 - 2 * x**-0.5 - at / 40))
                     for x in (200, 400, 800, 1600)]) for at, name in enumerate(NAMES)
    ]  # fmt: skip


def pictures() -> dict[str, str]:
    drawn = {}
    for width in (forest.WIDTH, forest.NARROW):
        drawn |= {
            f"two {width}": forest.differences({"": SINGLE.to_json()}, width),
            f"many {width}": forest.differences(many(), width),
            f"rates {width}": forest.rates(many(), width),
            f"groups {width}": forest.groups(SEVERAL.to_json(), width),
            f"length {width}": forest.differences({"": LENGTH.to_json()}, width),
            f"curves {width}": curves(learning(), "accuracy", width=width),
        }
    return drawn
