"""Averages of click scores, and their table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from decoder_parts.click_scores import RADII

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from decoder_parts.click_scores import ClickScores, MaskScore

__all__ = ["MEASURES", "STAGES", "Row", "mean", "print_rows", "summarise"]

Row = dict[str, float]

STAGES = ("picked", "best", "last")
"""The chosen mask after one click, the best one, and that after three clicks."""

MEASURES = ("iou", "biou", *(f"f{radius:.0f}" for radius in RADII))


def summarise(answers: Sequence[ClickScores]) -> Row:
    """Average over objects, in percent; ``ms`` is the median."""
    row: Row = {}
    for stage in STAGES:
        scores: list[MaskScore] = [getattr(answer, stage) for answer in answers]
        row[f"{stage}_iou"] = 100 * _average(score.iou for score in scores)
        row[f"{stage}_biou"] = 100 * _average(score.boundary_iou for score in scores)
        for index, measure in enumerate(MEASURES[2:]):
            values = [score.f[index] for score in scores]
            row[f"{stage}_{measure}"] = 100 * _average(values)
    hits = [answer.picked.iou >= answer.best.iou for answer in answers]
    row["right"] = 100 * _average(hits)
    row["off"] = 100 * _average(
        abs(answer.rated - answer.picked.iou) for answer in answers
    )
    row["ms"] = 1000 * float(np.median([answer.seconds for answer in answers]))
    return row


def mean(rows: Sequence[Row]) -> Row:
    """Average over sequences."""
    return {key: _average(row[key] for row in rows) for key in rows[0]}


def print_rows(rows: Mapping[str, Row]) -> None:
    """Print a table."""
    print(f"{'':6}" + "".join(f"| {stage:29}" for stage in STAGES) + "|")
    heading = "".join(f"{measure:>6}" for measure in MEASURES)
    print(f"{'':6}" + f"|{heading} " * 3 + f"|{'right':>6}{'off':>6}{'ms':>6}")
    for name, row in rows.items():
        stages = (
            "".join(f"{row[f'{stage}_{measure}']:6.1f}" for measure in MEASURES)
            for stage in STAGES
        )
        rest = f"{row['right']:6.0f}{row['off']:6.1f}{row['ms']:6.0f}"
        print(f"{name:6}|" + " |".join(stages) + f" |{rest}", flush=True)


def _average(values: Iterable[Any]) -> float:
    return float(np.mean(list(values)))
