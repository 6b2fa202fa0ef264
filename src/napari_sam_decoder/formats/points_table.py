"""Tables of points, as napari saves a Points layer."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.errors import FormatError, PromptError, wrap_os_errors
from napari_sam_decoder.validation import (
    MAX_HYPOTHESIS,
    MAX_OBJECT_ID,
    as_expanded_path,
    parse_number,
)
from napari_sam_decoder.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "MOVIE_COLUMNS",
    "PointsTable",
    "count_axes",
    "is_blank",
    "parse_label",
    "read_points_by_movie",
    "read_points_table",
]

FEATURES = ("label", "object_id", "hypothesis")
AXIS_COLUMNS = ("axis-0", "axis-1", "axis-2", "axis-3", "axis-4")
KNOWN_COLUMNS = ("index", *AXIS_COLUMNS, *FEATURES)
MOVIE = "movie"
POSITIVE = ("1", "1.0", "true", "positive", "foreground")
NEGATIVE = ("0", "0.0", "false", "negative", "background")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
NO_POINTS = "holds no points; add some and save it again"
USUAL_AXES = "TYX"
MOVIE_COLUMNS = len(USUAL_AXES)
"""Axes of a table of points on a movie; one on a file of more axes has more."""
NO_TABLE = "is not a plain-text table; save it as CSV with commas, in UTF-8"
HIGHEST_FRAME = 2**31 - 1
# napari saves positions of a scaled layer with rounding errors.
ROUNDING = 1e-3
# What napari writes or holds where a feature is not set.
NOT_SET = ("nan", "", "none", "<na>")


@dataclass(frozen=True, eq=False)
class PointsTable:
    """Points on objects or beside them, one per row.

    Attributes
    ----------
    frames : (N,) array of int
    positions : (N, 2) array of float
        (row, column) in frame pixels.
    signs : (N,) array of bool
        True on the object, False beside it.
    object_ids : (N,) array of int
        From 1.
    hypotheses : (N,) array of int
        1 to 3, or 0 where none was chosen.
    places : mapping of str to (N,) array of int
        Where the points are along further axes, by letter; empty for a table of frame,
        row and column.
    """

    frames: np.ndarray
    positions: np.ndarray
    signs: np.ndarray
    object_ids: np.ndarray
    hypotheses: np.ndarray
    places: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __repr__(self) -> str:
        objects, frames = np.unique(self.object_ids), np.unique(self.frames)
        return (
            f"PointsTable({len(self.frames)} points of {len(objects)} objects on "
            f"{len(frames)} frames)"
        )


@dataclass(frozen=True)
class _Point:
    frame: int
    position: tuple[float, float]
    sign: bool
    object_id: int
    hypothesis: int
    places: Mapping[str, int]


@dataclass(frozen=True)
class _Row:
    """The cells of one line by column, and its position in the file."""

    cells: Mapping[str, str]
    place: str

    def point(self, axes: str | None = None, along: str = "T") -> _Point:
        count = len(_axis_columns(self.cells))
        if axes is None or len(axes) != count:
            axes, along = USUAL_AXES[-count:], "T"
        columns = dict(zip(axes, AXIS_COLUMNS, strict=False))
        counted = {
            letter: self._whole(column, range(HIGHEST_FRAME + 1))
            for letter, column in columns.items()
            if letter not in "YX"
        }
        frame = counted.pop(along, 0)
        return _Point(
            frame,
            (self._number(columns["Y"]), self._number(columns["X"])),
            self._sign(),
            self._object_id(),
            self._hypothesis(),
            counted,
        )

    def movie(self) -> str:
        """Name of the movie that the point is in."""
        name = self.cells.get(MOVIE, "")
        if not name:
            raise PromptError(
                f"{self.place}: the column {MOVIE!r} is missing or empty; name the "
                "movie of each point there"
            )
        return name

    def _number(self, column: str) -> float:
        text = self.cells[column]
        value = parse_number(text)
        if math.isnan(value):
            hint = "; use a decimal point" if "," in text else ""
            raise PromptError(
                f"{self.place}: {column} must be a finite number, not {text!r}{hint}"
            )
        return value

    def _whole(self, column: str, allowed: range) -> int:
        value = self._number(column)
        if abs(value - round(value)) > ROUNDING or round(value) not in allowed:
            raise PromptError(
                f"{self.place}: {column} must be a whole number from {allowed[0]} to "
                f"{allowed[-1]}, not {self.cells[column]!r}"
            )
        return round(value)

    def _object_id(self) -> int:
        if "object_id" not in self.cells:
            return 1
        return self._whole("object_id", range(1, MAX_OBJECT_ID + 1))

    def _sign(self) -> bool:
        text = self.cells.get("label", "").lower()
        sign = parse_label(text)
        if sign is None:
            raise PromptError(
                f"{self.place}: label must be 1, true, positive or foreground, or 0, "
                f"false, negative or background, not {text!r}"
            )
        return sign

    def _hypothesis(self) -> int:
        if is_blank(self.cells.get("hypothesis", "")):
            return 0
        return self._whole("hypothesis", range(MAX_HYPOTHESIS + 1))


def parse_label(value: object) -> bool | None:
    """Parse the label of a point in a table or a layer.

    Parameters
    ----------
    value : str, bool, number or None
        Positive or negative, foreground or background, true or false, 1 or 0, in any
        case; blank is positive.

    Returns
    -------
    bool or None
        True on the object, False beside it, None for any other value.
    """
    text = _plain(value)
    if text in POSITIVE or text in NOT_SET:
        return True
    return False if text in NEGATIVE else None


def is_blank(value: object) -> bool:
    """Whether a cell of a table or a layer is empty, None or NaN."""
    return _plain(value) in NOT_SET


def _plain(value: object) -> str:
    return str(value).strip().lower()


def count_axes(path: str | Path) -> int:
    """Count the columns of a table of points that are axes.

    Raises
    ------
    FormatError, PromptError
        As `read_points_table`.
    """
    place = as_expanded_path(path, "a table of points", FormatError)
    with _opened(place) as file:
        for _, cells in _lines(file, place):
            return len(_axis_columns([name.lower() for name in cells]))
    raise PromptError(f"{place} {NO_POINTS}")


def read_points_table(
    path: str | Path, axes: str | None = None, along: str = "T"
) -> PointsTable:
    """Read prompts from a CSV file, such as napari saves for a Points layer.

    Parameters
    ----------
    path : str or Path
        The first line names the columns. ``axis-0``, ``axis-1`` and ``axis-2`` are
        frame (an integer), row and column; without ``axis-2``, the first two are row
        and column of a single image. Optional: ``index`` (ignored), ``label``
        (positive by default), ``object_id`` (1 by default) and ``hypothesis`` (1 to 3,
        or 0 or empty).
    axes : str, optional
        A letter for each axis of a table with more of them, such as "TZYX".
    along : str
        The one of these that counts the frames.

    Returns
    -------
    PointsTable
        In the order of the lines, at least one row.

    Raises
    ------
    FormatError
        If the file cannot be read.
    PromptError
        If the table is invalid; the message names the line.
    """
    place = as_expanded_path(path, "a table of points", FormatError)
    return _table(
        [row.point(axes, along) for row in _read_rows(place, KNOWN_COLUMNS, axes)]
    )


def read_points_by_movie(path: str | Path) -> dict[str, PointsTable]:
    """Read the prompts of several movies from one CSV file.

    Parameters
    ----------
    path : str or Path
        As for `read_points_table`, with one more column, ``movie``, that names the
        movie of each row.

    Returns
    -------
    dict of str to PointsTable
        By movie, in the order of the lines; at least one.

    Raises
    ------
    FormatError
        If the file cannot be read.
    PromptError
        If the table is invalid; the message names the line.
    """
    place = as_expanded_path(path, "a table of points", FormatError)
    points: dict[str, list[_Point]] = {}
    for row in _read_rows(place, (MOVIE, *KNOWN_COLUMNS)):
        points.setdefault(row.movie(), []).append(row.point())
    return {movie: _table(found) for movie, found in points.items()}


def _read_rows(
    path: Path, columns: Sequence[str], axes: str | None = None
) -> list[_Row]:
    with _opened(path) as file:
        rows = list(_rows(file, path, columns, axes))
    if not rows:
        raise PromptError(f"{path} {NO_POINTS}")
    return rows


def _table(points: Sequence[_Point]) -> PointsTable:
    return PointsTable(
        frames=np.array([point.frame for point in points], dtype=np.int64),
        positions=np.array([point.position for point in points], dtype=np.float64),
        signs=np.array([point.sign for point in points], dtype=bool),
        object_ids=np.array([point.object_id for point in points], dtype=np.int64),
        hypotheses=np.array([point.hypothesis for point in points], dtype=np.int64),
        places={
            letter: np.array([point.places[letter] for point in points], np.int64)
            for letter in points[0].places
        },
    )


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    """Open a table, and explain why it cannot be read.

    Raises
    ------
    FormatError
        If there is no such file.
    PromptError
        If it is no text.
    """
    try:
        with (
            wrap_os_errors(f"cannot read the points in {path}"),
            path.open(newline="", encoding="utf-8-sig") as file,
        ):
            yield file
    except UnicodeDecodeError as error:
        raise PromptError(f"{path} {NO_TABLE}") from error


def _rows(
    lines: Iterator[str], path: Path, columns: Sequence[str], axes: str | None
) -> Iterator[_Row]:
    header: list[str] | None = None
    for place, cells in _lines(lines, path):
        if header is None:
            header = _checked_header(cells, place, columns, axes)
            continue
        if len(cells) != len(header):
            raise PromptError(
                f"{place}: {counted(len(cells), 'cell')}, but there are "
                f"{counted(len(header), 'column')}; correct the line"
            )
        yield _Row(dict(zip(header, cells, strict=True)), place)


def _lines(lines: Iterator[str], path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the position and the cells of each line that is not empty."""
    reader = csv.reader(lines, strict=True)
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                yield f"{path}, line {reader.line_num}", stripped
    except csv.Error as error:
        place = f"{path}, line {reader.line_num}"
        raise PromptError(f"{place} {NO_TABLE} ({error})") from error


def _checked_header(
    header: Sequence[str], place: str, columns: Sequence[str], wanted: str | None
) -> list[str]:
    for separator, name in SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            raise PromptError(
                f"{place}: the cells are separated by {name}; save the table with "
                "commas and decimal points"
            )
    names = [name.lower() for name in header]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise PromptError(f"{place}: duplicate column {twice[0]!r}; remove one of them")
    axes = _axis_columns(names)
    counts = {2, 3, len(wanted or USUAL_AXES)}
    if len(axes) not in counts or axes != list(AXIS_COLUMNS[: len(axes)]):
        more = f", or one for each of {wanted}" if wanted else ""
        raise PromptError(
            f"{place}: the axes are {', '.join(axes) or 'missing'}; a movie needs "
            "axis-0 (frame), axis-1 (row), axis-2 (column), an image axis-0 (row), "
            f"axis-1 (column){more}"
        )
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise PromptError(
            f"{place}: unknown column {unknown[0]!r}; the columns are "
            f"{', '.join(columns)}"
        )
    return names


def _axis_columns(names: Sequence[str] | Mapping[str, str]) -> list[str]:
    return sorted(name for name in names if re.fullmatch(r"axis-\d+", name))
