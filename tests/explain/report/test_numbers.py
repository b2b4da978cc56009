import pytest

from memreason.explain.report.numbers import Figures, pointer, shown


@pytest.mark.parametrize(
    "value, form, text",
    [(0.575, "percent", "57.5%"), (1, "percent", "100%"), (0.32, "points", "+32"), (-0.051, "points", "−5.1"),
     (1234, "count", "1,234"), (0.5, "number", "0.50"), (None, "percent", "–"), (0.0, "points", "+0"),
     (-0.0002, "points", "+0"), (39.456, "short", "39.5"),
     (0.0123, "p", "0.012"), (None, "p", "–"), (0.2034, "size", "20.3"), (1.0, "short", "1")],
)  # fmt: skip
def test_numbers_as_a_reader_sees_them(value, form, text):
    assert shown(value, form) == text


def test_a_place_is_a_json_pointer():
    assert pointer(("facts", 3, "said", "a/b~c")) == "/facts/3/said/a~1b~0c"


def test_a_sum_names_its_parts_and_leaves_out_what_is_not_there():
    total = Figures({"errors": {"a": {"both": 2}, "b": {"both": 3}, "c": {}}}).total(
        [("errors", split, "both") for split in "abc"]
    )
    assert (total.value, total.key) == (5, '["/errors/a/both", "/errors/b/both"]')
