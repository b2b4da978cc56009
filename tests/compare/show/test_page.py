"""A page holds each picture for a desk and for a phone, in the page's own style."""

from functools import partial

from helpers.comparison_pictures import learning, many

from memreason.compare.show import forest
from memreason.compare.show.curves import curves
from memreason.compare.show.page import Section, render
from memreason.compare.show.tables import arms


def test_pictures_are_drawn_twice_and_have_no_style_of_their_own() -> None:
    drawn = partial(curves, learning(), "accuracy", inline=True), partial(forest.rates, many(), inline=True)
    made = render("A study", [Section("Curves", pictures=drawn, tables=[arms(many())])], ["Ten arms."], "table.csv")
    assert made.count("<svg ") == 4 and made.count("<style>") == 1
    assert made.count('width="760"') == made.count('width="344"') == 4  # of pictures and of their papers
    assert made.count("training questions (logarithmic)") == 2


def test_headings_over_columns_and_sections_lead_somewhere() -> None:
    made = render("A study", [Section("One", tables=[arms(many())]), Section("Two & more")])
    assert made.count('colspan="4" class="group"') == 2
    assert 'href="#s2"' in made and '<section id="s2"' in made and "Two &amp; more" in made
