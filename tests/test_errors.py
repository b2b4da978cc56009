"""What is meant by a misspelt name."""

from memreason.errors import did_you_mean


def test_the_nearest_name_is_offered_whatever_its_case_and_dashes() -> None:
    assert did_you_mean("Tru", ("True", "False")) == "; did you mean True?"
    assert did_you_mean("LORA-R", ("lora_r", "seed"), "--") == "; did you mean --lora_r?"


def test_what_is_near_nothing_gets_no_offer() -> None:
    assert did_you_mean("xyz", ("train", "ask")) == ""
