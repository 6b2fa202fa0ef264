"""Plots of the confidence in objects, as SVG for a web page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.formats import figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam_decoder.jobs.batch.records import ObjectSummary

__all__ = ["NONE", "count_of", "draw_plots", "shown_confidence"]

NONE = "\N{EN DASH}"
"""What stands where there is no number."""

MOST_SHOWN = 12
"""Objects of a movie whose plots are shown at once; the rest can be unfolded."""
_WIDTH, _HEIGHT, _MARGIN = 240, 48, 4


def draw_plots(objects: Sequence[ObjectSummary]) -> str:
    """Return a plot of the confidence in each object, the most doubtful first."""
    if not objects:
        return '<p class="soft">No object was found.</p>'
    key = (
        '<p class="soft legend">Confidence over time, '
        '0 to 1<span class="key" style="background:var(--doubt)"></span>doubtful'
        '<span class="key" style="background:var(--absent)"></span>absent</p>'
    )
    worst_first = sorted(objects, key=lambda one: (-one.doubtful, one.object_id))
    shown, rest = worst_first[:MOST_SHOWN], worst_first[MOST_SHOWN:]
    text = f'{key}<div class="objects">{"".join(map(_plot, shown))}</div>'
    if rest:
        text += (
            f"<details><summary>{count_of(len(rest), 'more object')}</summary>"
            f'<div class="objects">{"".join(map(_plot, rest))}</div></details>'
        )
    return text


def shown_confidence(value: float | None) -> str:
    """Return a confidence as people read it."""
    return NONE if value is None else f"{value:.2f}"


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plot(one: ObjectSummary) -> str:
    red, green, blue = figures.colour_of(one.object_id)
    said = [f"{one.doubtful} doubtful"] if one.doubtful else []
    said += [f"{one.absent} absent"] if one.absent else []
    said += [shown_confidence(one.mean_confidence)]
    return (
        '<div class="object"><p>'
        f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'
        f'<span>object {one.object_id}</span><span class="soft">{" · ".join(said)}'
        f"</span></p>{_svg(one)}</div>"
    )


def _svg(one: ObjectSummary) -> str:
    step = _WIDTH / max(len(one.curve), 1)
    bands = "".join(_bands(one.verdicts, step))
    lines = "".join(
        f'<polyline class="curve" points="{" ".join(points)}"/>'
        for points in _lines(one, step)
    )
    label = f"confidence of object {one.object_id} over time"
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{bands}<line class="half" x1="0" x2="{_WIDTH}" '
        f'y1="{_HEIGHT / 2}" y2="{_HEIGHT / 2}"/>{lines}</svg>'
    )


def _bands(verdicts: str, step: float) -> Iterator[str]:
    for letter, kind in (("d", "doubt"), ("a", "absent")):
        for start, stop in _runs(verdicts, letter):
            yield (
                f'<rect class="{kind}" x="{start * step:.1f}" y="0" '
                f'width="{(stop - start) * step:.1f}" height="{_HEIGHT}"/>'
            )


def _lines(one: ObjectSummary, step: float) -> Iterator[list[str]]:
    """Points of the curve, with a gap where the object is absent."""
    present = "".join("-" if letter == "a" else "p" for letter in one.verdicts)
    for start, stop in _runs(present, "p"):
        points = [
            f"{(index + 0.5) * step:.1f},{_height_of(one.curve[index]):.1f}"
            for index in range(start, stop)
        ]
        # A line of a single point would not be seen.
        ends = [f"{start * step:.1f},{points[0].partition(',')[2]}"]
        ends += [f"{stop * step:.1f},{points[-1].partition(',')[2]}"]
        yield [ends[0], *points, ends[1]]


def _height_of(confidence: float) -> float:
    return _MARGIN + (1 - confidence) * (_HEIGHT - 2 * _MARGIN)


def _runs(text: str, letter: str) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of a letter."""
    start = None
    for index, found in enumerate([*text, ""]):
        if found == letter and start is None:
            start = index
        elif found != letter and start is not None:
            yield start, index
            start = None
