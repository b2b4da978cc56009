"""Writes the table of docs/architectures.md anew: python docs/architectures_table.py"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.architectures import ARCHITECTURES, Architecture, answers, make, train_a_little  # noqa: E402

from memreason.errors import UserError  # noqa: E402

PAGE = ROOT / "docs" / "architectures.md"
START, END = "<!-- table -->\n", "<!-- end of table -->\n"


def row(architecture: Architecture, folder: Path) -> str:
    """Its line, found by training and asking its tiny model."""
    try:
        trained = train_a_little(make(architecture, folder), "lora+prompt-tuning", 0, architecture.lora_module)
    except UserError:
        return architecture.row("refused", "")
    return architecture.row(trained.training, answers(trained.unit)[1])


def main() -> None:
    """Try all of them, and put what is found between the page's marks."""
    rows = ["| family | for example | training | answering | special |", "|---|---|---|---|---|"]
    for architecture in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(architecture, Path(folder)))
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(before + START + "\n".join(rows) + "\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
