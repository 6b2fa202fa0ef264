"""Results of an ablation: means over seeds, as JSON and as tables."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from decoder_parts.summary import MEASURES, STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from decoder_parts.summary import Row

__all__ = ["as_json", "as_markdown", "last_loss", "over_seeds"]

LAST_STEPS = 50
"""Losses are averaged over these: each is of a few objects only."""

_TITLES = {
    "iou": "IoU",
    "biou": "boundary IoU",
    "f1": "F, 1 px",
    "f2": "F, 2 px",
    "f4": "F, 4 px",
    "right": "right",
    "off": "rating off by",
    "ms": "ms per click",
    "parameters": "parameters",
    "loss": "loss",
}
_STAGES = {
    "picked": "After one click, the chosen mask",
    "best": "After one click, the best mask",
    "last": "After three clicks",
}
_DECIMALS = {"ms": 0, "right": 0, "loss": 3}

Summary = dict[str, dict[str, tuple[float, float]]]


def last_loss(curve: Path) -> float:
    """Average the loss of the last steps of a ``curve.csv``."""
    losses = np.loadtxt(curve, delimiter=",", skiprows=1, usecols=1, ndmin=1)
    return float(losses[-LAST_STEPS:].mean())


def over_seeds(rows: Mapping[str, Sequence[Row]]) -> Summary:
    """Summarise the measures of several seeds.

    Parameters
    ----------
    rows : mapping of str to sequence of dict
        Measures of each seed, by configuration.

    Returns
    -------
    dict of str to dict of str to (float, float)
        Mean and half of the range, by configuration and measure.
    """
    return {
        name: {key: _mean_and_spread([row[key] for row in found]) for key in found[0]}
        for name, found in rows.items()
    }


def as_markdown(summary: Summary) -> str:
    """Format one table per stage, and one of the other measures."""
    measured = next(iter(summary.values()))
    parts = [
        f"{_STAGES[stage]}:\n\n" + _table(summary, [f"{stage}_{m}" for m in MEASURES])
        for stage in STAGES
        if f"{stage}_iou" in measured
    ]
    rest = [
        key
        for key in ("right", "off", "ms", "parameters", "loss")
        if any(key in row for row in summary.values())
    ]
    return "\n\n".join([*parts, "Other measures:\n\n" + _table(summary, rest)]) + "\n"


def as_json(summary: Summary, about: Mapping[str, Any]) -> str:
    """Format all numbers; null for missing ones."""
    rows = {
        name: {
            key: {"mean": _or_none(mean), "spread": _or_none(spread)}
            for key, (mean, spread) in row.items()
        }
        for name, row in summary.items()
    }
    return json.dumps({**about, "configurations": rows}, indent=1) + "\n"


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    return float(np.mean(values)), (max(values) - min(values)) / 2


def _table(summary: Summary, keys: Sequence[str]) -> str:
    titles = [_TITLES[key.rpartition("_")[2]] for key in keys]
    lines = [["", *titles], ["---", *("---:" for _ in keys)]]
    for name, row in summary.items():
        lines.append([name, *(_cell(key, row.get(key)) for key in keys)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(key: str, value: tuple[float, float] | None) -> str:
    if value is None or math.isnan(value[0]):
        return "-"
    mean, spread = value
    if key == "parameters":
        return f"{mean / 1e6:.2f} M"
    decimals = _DECIMALS.get(key, 1)
    return f"{mean:.{decimals}f} ± {spread:.{decimals}f}"


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
