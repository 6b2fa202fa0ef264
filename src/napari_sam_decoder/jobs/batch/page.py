"""The page of a batch: one HTML file with its pictures and plots in it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from napari_sam_decoder.jobs.batch.outcomes import MovieStatus
from napari_sam_decoder.jobs.batch.plots import (
    NONE,
    count_of,
    draw_plots,
    shown_confidence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari_sam_decoder.jobs.batch.outcomes import MovieOutcome
    from napari_sam_decoder.jobs.batch.records import MovieRecord, Picture

__all__ = ["batch_page"]

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1c2024; --soft: #5d666f; --line: #d9dee3; --paper: #fff; --panel: #f5f7f9;
  --doubt: #d97706; --fail: #b42318; --absent: #8b95a1; }
@media (prefers-color-scheme: dark) { :root {
  --ink: #e8ebee; --soft: #a2abb4; --line: #3a424a; --paper: #16191c; --panel: #20252a;
  --doubt: #f0a04b; --fail: #ff8a7a; --absent: #77818c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 32px 24px 80px; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 0; }
h3 { font-size: 16px; margin: 32px 0 8px; }
p { margin: 0; } a { color: inherit; }
.soft { color: var(--soft); } .fail { color: var(--fail); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; font-size: 13px; text-align: right; }
th, td { padding: 6px 12px; border-bottom: 1px solid var(--line); }
td { text-align: right; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td:first-child { overflow-wrap: anywhere; }
.bar { display: inline-block; height: 8px; border-radius: 2px; background: var(--doubt);
  vertical-align: middle; margin-right: 8px; }
.share { display: inline-block; min-width: 3em; }
section { margin-top: 44px; padding-top: 20px; border-top: 1px solid var(--line); }
.pictures { display: flex; flex-wrap: wrap; gap: 12px; margin: 14px 0 18px; }
figure { margin: 0; flex: 0 1 273px; } img { display: block; max-width: 100%;
  height: auto; border-radius: 4px; background: var(--panel); }
figcaption { font-size: 13px; color: var(--soft); margin-top: 4px; }
figcaption b { color: var(--doubt); font-weight: 600; }
.objects { display: grid; gap: 14px 20px;
  grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); }
.object { min-width: 0; } .object p { font-size: 13px; display: flex; gap: 8px;
  align-items: baseline; }
.swatch { width: 10px; height: 10px; border-radius: 2px; flex: none; }
.object p span:last-child { margin-left: auto; }
svg { display: block; width: 100%; height: 52px; background: var(--panel);
  border-radius: 3px; margin-top: 3px; }
.curve { fill: none; stroke: var(--ink); stroke-width: 1.5;
  vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.half { stroke: var(--line); vector-effect: non-scaling-stroke; }
.doubt { fill: var(--doubt); opacity: .3; }
.absent { fill: var(--absent); opacity: .3; }
.legend { font-size: 13px; margin-bottom: 8px; }
.key { display: inline-block; width: 10px; height: 10px; opacity: .45;
  border-radius: 2px; margin: 0 4px 0 12px; }
details { margin-top: 14px; } summary { cursor: pointer; color: var(--soft); }
details .objects { margin-top: 14px; }
"""


def batch_page(movies: Sequence[MovieOutcome], title: str) -> str:
    """Return the page, which needs no other file and no script.

    Parameters
    ----------
    movies : sequence of MovieOutcome
        In the order in which failures are shown.
    title : str
        Name of the folder that they are in.
    """
    found = [(movie.name, movie.record) for movie in movies if movie.record is not None]
    done = sorted(found, key=lambda one: (-_doubt(one[1]), one[0]))
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Movies in {escape(title)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>Movies in {escape(title)}</h1>",
        f'<p class="soft">{_headline(movies)}</p>',
        *_not_done(movies),
        *_overview(done),
        *(_section(name, record) for name, record in done),
        "</body></html>",
    ]
    return "\n".join(parts)


def _headline(movies: Sequence[MovieOutcome]) -> str:
    records = [movie.record for movie in movies if movie.record is not None]
    objects = sum(len(record.objects) for record in records)
    frames = sum(stop - first for first, stop in (record.frames for record in records))
    said = [
        count_of(len(records), "movie"),
        count_of(objects, "object"),
        count_of(frames, "frame"),
        f"{_duration(sum(record.seconds for record in records))} of work",
    ]
    failed = sum(movie.status is MovieStatus.FAILED for movie in movies)
    waiting = sum(movie.status is MovieStatus.WAITING for movie in movies)
    if failed:
        said.append(f'<span class="fail">{failed} failed</span>')
    if waiting:
        said.append(f"{waiting} still to be done")
    return " · ".join(said)


def _not_done(movies: Iterable[MovieOutcome]) -> Iterator[str]:
    failed = [movie for movie in movies if movie.status is MovieStatus.FAILED]
    if not failed:
        return
    yield '<h3 class="fail">Failed</h3><div class="scroll"><table>'
    yield '<tr><th>movie</th><th class="text">why, and what helps</th></tr>'
    for movie in failed:
        yield (
            f"<tr><td>{escape(movie.name)}</td>"
            f'<td class="text">{escape(movie.reason)}</td></tr>'
        )
    yield "</table></div>"


def _overview(done: Sequence[tuple[str, MovieRecord]]) -> Iterator[str]:
    if not done:
        return
    yield "<h3>Done, the most doubtful first</h3>"
    yield '<div class="scroll"><table><tr><th>movie</th>'
    for column in ("objects", "frames", "doubtful", "absent", "confidence", "time"):
        yield f"<th>{column}</th>"
    yield "</tr>"
    for name, record in done:
        first, stop = record.frames
        cells = [
            str(len(record.objects)),
            str(stop - first),
            _share(_doubt(record), "bar"),
            _share(_absence(record)),
            shown_confidence(_mean(record)),
            _duration(record.seconds),
        ]
        yield f'<tr><td><a href="#{_anchor(name)}">{escape(name)}</a></td>'
        yield "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    yield "</table></div>"


def _section(name: str, record: MovieRecord) -> str:
    first, stop = record.frames
    said = [
        f"frames {first} to {stop - 1}",
        count_of(len(record.objects), "object"),
        _duration(record.seconds),
    ]
    pictures = "".join(map(_picture, record.pictures))
    return (
        f'<section id="{_anchor(name)}"><h2>{escape(name)}</h2>'
        f'<p class="soft">{" · ".join(said)}</p>'
        f'<div class="pictures">{pictures}</div>{draw_plots(record.objects)}</section>'
    )


def _picture(picture: Picture) -> str:
    caption = picture.caption
    if caption.endswith("least sure"):
        caption = f"<b>{caption}</b>"
    return (
        f'<figure><img src="data:image/webp;base64,{picture.webp}" '
        f'width="{picture.width}" height="{picture.height}" '
        f'alt="frame {picture.frame} with outlines">'
        f"<figcaption>frame {picture.frame} · {caption}</figcaption></figure>"
    )


def _doubt(record: MovieRecord) -> float:
    return sum(one.doubtful for one in record.objects) / _looks(record)


def _absence(record: MovieRecord) -> float:
    return sum(one.absent for one in record.objects) / _looks(record)


def _looks(record: MovieRecord) -> int:
    """How often objects were looked for on frames, 1 at least."""
    return max(sum(one.frames for one in record.objects), 1)


def _mean(record: MovieRecord) -> float | None:
    known = [one for one in record.objects if one.mean_confidence is not None]
    weights = [one.frames - one.absent for one in known]
    sums = (
        (one.mean_confidence or 0) * weight
        for one, weight in zip(known, weights, strict=True)
    )
    return sum(sums) / sum(weights) if sum(weights) else None


def _share(part: float, look: str = "") -> str:
    if part == 0:
        return NONE
    text = f"{part:.0%}" if part >= 0.01 else "&lt; 1%"
    width = max(2, round(60 * part))
    bar = f'<span class="{look}" style="width:{width}px"></span>' if look else ""
    return f'{bar}<span class="share">{text}</span>'


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _anchor(name: str) -> str:
    return escape(f"movie-{name}".replace(" ", "_"), quote=True)
