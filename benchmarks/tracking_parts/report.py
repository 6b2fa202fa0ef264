"""Scores as a table to read and as JSON to go on with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tracking_parts.measures import mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    Row = dict[str, Any]

__all__ = ["CORRECTED", "MEASURES", "Table", "means", "write_json"]

HEADINGS = {
    "J": "J",
    "F": "F",
    "JF": "J&F",
    "JF_auto": "J&F auto",
    "flicker": "flicker",
    "dice": "Dice",
    "auc": "AUC",
    "lost_told": "lost told",
    "good_doubted": "good doubted",
    "absent_precision": "absent P",
    "absent_recall": "absent R",
    "seconds_embed": "embed s",
    "seconds_propagate": "carry s",
}
MEASURES = tuple(HEADINGS)
"""Keys of a row that hold a number or None."""

CORRECTED = ("corrections", "corrections_dice", "recomputed")
"""Keys of a row that hold numbers by the round of corrections, or None."""

PERCENT = {"J", "F", "JF", "JF_auto", "flicker", "dice"}
NAME_WIDTH, METHOD_WIDTH, NARROWEST = 22, 18, 7


class Table:
    """Lines of text, a row per sequence and method.

    Parameters
    ----------
    left_out : iterable of str
        Measures that no row can have.
    rounds : sequence of int
        Numbers of corrections with a column each.
    """

    def __init__(self, left_out: Iterable[str], rounds: Sequence[int] = ()) -> None:
        skipped = set(left_out)
        self._measures = [name for name in MEASURES if name not in skipped]
        self._rounds = [str(number) for number in rounds]
        self._titles = ["objects", *(HEADINGS[name] for name in self._measures)]
        self._titles += [f"after {number}" for number in self._rounds]
        self._shows_dice = bool(self._rounds) and "dice" not in skipped
        if self._shows_dice:
            self._titles += [f"Dice {number}" for number in self._rounds]
        self._titles += ["frames/round"] if self._rounds else []

    def heading(self) -> str:
        """The line above the rows."""
        return self._line("sequence", "method", self._titles)

    def line(self, row: Row) -> str:
        """One row; measures in percent or seconds, - where there is none."""
        values = [_cell(row[name], name in PERCENT) for name in self._measures]
        values += self._by_round(row["corrections"])
        values += self._by_round(row["corrections_dice"]) if self._shows_dice else []
        if self._rounds:
            values.append(_cell(mean((row["recomputed"] or {}).values()), True))
        return self._line(row["name"], row["method"], [str(row["objects"]), *values])

    def _by_round(self, scores: dict[str, float | None] | None) -> list[str]:
        return [_cell((scores or {}).get(number), True) for number in self._rounds]

    def _line(self, name: str, method: str, values: Sequence[str]) -> str:
        widths = [max(NARROWEST, len(title)) for title in self._titles]
        texts = map(str.rjust, values, widths)
        return " ".join([name.ljust(NAME_WIDTH), method.ljust(METHOD_WIDTH), *texts])


def means(rows: Sequence[Row]) -> dict[str, Row]:
    """Average the rows of each method over the sequences.

    Returns
    -------
    dict of str to dict
        By method, in the order of the rows; each like a row, with the number of all
        objects. Sequences that lack a measure do not count in its mean.
    """
    methods = dict.fromkeys(row["method"] for row in rows)
    return {
        method: _mean_row([row for row in rows if row["method"] == method])
        for method in methods
    }


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows and their means."""
    content = {"sequences": list(rows), "means": means(rows)}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _mean_row(rows: Sequence[Row]) -> Row:
    return {
        "name": "mean",
        "method": rows[0]["method"],
        "init": rows[0]["init"],
        "objects": sum(row["objects"] for row in rows),
        **{name: mean(row[name] for row in rows) for name in MEASURES},
        **{name: _mean_by_round([row[name] for row in rows]) for name in CORRECTED},
    }


def _mean_by_round(
    tables: Sequence[dict[str, float | None] | None],
) -> dict[str, float | None] | None:
    known = [table for table in tables if table]
    if not known:
        return None
    return {number: mean(table.get(number) for table in known) for number in known[0]}


def _cell(value: float | None, is_percent: bool) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if is_percent else f"{value:.3f}"
