"""Scores of many attempts as a table to read and as JSON to go on with."""

from __future__ import annotations

import json
from statistics import median
from typing import TYPE_CHECKING, Any

from tracking_parts.measures import mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interaction_parts.attempt import Attempt

    Row = dict[str, Any]

__all__ = ["heading", "line", "means", "scores", "write_json"]

SCORED_AFTER = (1, 2, 3, 5, 10)
"""Actions."""
GOOD = {"noc80": 0.80, "noc85": 0.85, "noc90": 0.90}
"""IoU to reach, by the key of a row."""
TITLES = [
    "objects",
    *(f"IoU {number}" for number in SCORED_AFTER),
    *(f"to {iou:.2f}" for iou in GOOD.values()),
    "worse",
    "ms",
]
NAME_WIDTH, METHOD_WIDTH, NARROWEST = 22, 15, 7


def scores(attempts: Sequence[Attempt]) -> Row:
    """Score the attempts on all objects of a sequence, at least one.

    Returns
    -------
    dict
        "objects", their number; "iou" in percent, by the number of actions as text;
        "noc80", "noc85" and "noc90", mean number of actions until the IoU was as good,
        where never counts as 11; "worse", percent of the actions after the first that
        lowered the IoU by more than 0.02, None if there were none; "ms", median
        milliseconds per action.
    """
    iou = {
        str(number): 100 * _mean([one.after(number) for one in attempts])
        for number in SCORED_AFTER
    }
    needed = {
        key: _mean([one.needed(iou) for one in attempts]) for key, iou in GOOD.items()
    }
    later = sum(len(one.steps) for one in attempts)
    setbacks = sum(one.setbacks for one in attempts)
    seconds = [second for one in attempts for second in one.seconds]
    return {
        "objects": len(attempts),
        "iou": iou,
        **needed,
        "worse": 100 * setbacks / later if later else None,
        "ms": 1000 * median(seconds),
    }


def means(rows: Sequence[Row]) -> dict[str, Row]:
    """Average the rows of each method over the sequences.

    Returns
    -------
    dict of str to dict
        By method, in the order of the rows; each like a row, with the number of all
        objects.
    """
    methods = dict.fromkeys(row["method"] for row in rows)
    return {
        method: _mean_row([row for row in rows if row["method"] == method])
        for method in methods
    }


def _mean_row(rows: Sequence[Row]) -> Row:
    return {
        "name": "mean",
        "method": rows[0]["method"],
        "protocol": rows[0]["protocol"],
        "objects": sum(row["objects"] for row in rows),
        "iou": {key: mean(row["iou"][key] for row in rows) for key in rows[0]["iou"]},
        **{key: mean(row[key] for row in rows) for key in (*GOOD, "worse", "ms")},
    }


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows and their means."""
    content = {"sequences": list(rows), "means": means(rows)}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def heading() -> str:
    """The line above the rows."""
    return _line("sequence", "method", TITLES)


def line(row: Row) -> str:
    """One row, or one of the means; - where there is no score."""
    values = [*row["iou"].values(), *(row[key] for key in (*GOOD, "worse", "ms"))]
    texts = ["-" if value is None else f"{value:.1f}" for value in values]
    return _line(row["name"], row["method"], [str(row["objects"]), *texts])


def _line(name: str, method: str, texts: Sequence[str]) -> str:
    cells = (
        text.rjust(max(NARROWEST, len(title)))
        for text, title in zip(texts, TITLES, strict=True)
    )
    return " ".join([name.ljust(NAME_WIDTH), method.ljust(METHOD_WIDTH), *cells])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
