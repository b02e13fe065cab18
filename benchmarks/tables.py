"""Tables of measurements: printed, kept as CSV under docs/measurements, and drawn from there into the page.

python -m benchmarks.tables       draw docs/measurements.md anew from the files
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Row = dict[str, float | None]

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = DOCS / "measurements"
PAGE = DOCS / "measurements.md"
# The name under which a file keeps the means over its pairs.
MEAN = "mean"
_DECIMALS = {"seconds": 0, "% of hop": 1}
_TABLE = re.compile(r"(<!-- (\S+)\.csv: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def text(column: str, value: float | None) -> str:
    """One cell; "" where there is no value."""
    return "" if value is None else f"{value:.{_DECIMALS.get(column, 2)}f}"


def table(rows: Mapping[str, Row], columns: Sequence[str]) -> str:
    """Rows by the name of the output, in Markdown."""
    cells = [[name, *(text(column, row[column]) or "-" for column in columns)] for name, row in rows.items()]
    return _markdown(["output", *columns], cells)


def mean(rows: Sequence[Row], columns: Sequence[str]) -> Row:
    """The mean of each column over the rows that have a value there."""
    values = {column: [v for row in rows if (v := row[column]) is not None] for column in columns}
    return {column: float(np.mean(found)) if found else None for column, found in values.items()}


def save(name: str, results: Mapping[str, Mapping[str, Row]], columns: Sequence[str]) -> None:
    """Keep rows by pair and output in `docs/measurements/NAME.csv`, and draw the page anew."""
    with (FOLDER / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["pair", "output", *columns])
        for pair, rows in results.items():
            for output, row in rows.items():
                writer.writerow([pair, output, *(text(column, row[column]) for column in columns)])
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def drawn(page: str) -> str:
    """The page with each of its tables taken from its file: `<!-- FILE.csv: PAIR -->` to `<!-- end -->`."""

    def fill(found: re.Match[str]) -> str:
        head, name, pair, end = found.groups()
        with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            heading, *rows = csv.reader(file)
        kept = [row[1:] for row in rows if row[0] == pair]
        return f"{head}{_markdown(heading[1:], [[cell or '-' for cell in row] for row in kept])}\n{end}"

    return _TABLE.sub(fill, page)


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
