"""The record of a movie that is done: what it was made from, and what came out."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from napari_sam_decoder.errors import wrap_read_errors
from napari_sam_decoder.jobs.outputs import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MovieRecord", "ObjectSummary", "Picture", "read_record", "write_record"]

_FORMAT = "napari-sam-decoder batch 1"
_VERDICTS = "adsp"


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _finite_or_none(value: Any) -> float | None:
    return None if value is None else _finite(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


@dataclass(frozen=True)
class ObjectSummary:
    """How an object fared in a movie.

    Attributes
    ----------
    object_id : int
    frames : int
        On how many frames it was looked for.
    doubtful, absent : int
        On how many of them it is doubtful or absent.
    mean_confidence, lowest_confidence : float or None
        0..1, over the frames on which it is present; None if it is present on none.
    curve : tuple of float
        Confidence over time, thinned out: the lowest of each stretch of frames.
    verdicts : str
        For each entry of the curve one letter, that of the worst verdict: a(bsent),
        d(oubtful), s(ure) or p(rompted).
    """

    object_id: int
    frames: int
    doubtful: int
    absent: int
    mean_confidence: float | None
    lowest_confidence: float | None
    curve: tuple[float, ...]
    verdicts: str

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Restore a summary; raises as `MovieRecord.from_json`."""
        curve = tuple(map(_finite, stored["curve"]))
        verdicts = _text(stored["verdicts"])
        if len(verdicts) != len(curve) or not set(verdicts) <= set(_VERDICTS):
            raise ValueError(f"{verdicts!r} are not the verdicts of {len(curve)}")
        return cls(
            int(stored["object_id"]),
            int(stored["frames"]),
            int(stored["doubtful"]),
            int(stored["absent"]),
            _finite_or_none(stored["mean_confidence"]),
            _finite_or_none(stored["lowest_confidence"]),
            curve,
            verdicts,
        )


@dataclass(frozen=True)
class Picture:
    """A small picture of a frame with the outlines of the objects.

    Attributes
    ----------
    frame : int
    caption : str
        Why it is shown.
    width, height : int
        In pixels.
    webp : str
        The picture as WebP, in base64.
    """

    frame: int
    caption: str
    width: int
    height: int
    webp: str

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Restore a picture; raises as `MovieRecord.from_json`."""
        return cls(
            int(stored["frame"]),
            _text(stored["caption"]),
            int(stored["width"]),
            int(stored["height"]),
            _text(stored["webp"]),
        )


@dataclass(frozen=True)
class MovieRecord:
    """A movie that is done.

    Attributes
    ----------
    made_from : mapping of str to value
        All that the labels depend on, as plain values.
    labels : mapping of str to value
        From `stamp`, of the labels as they were written.
    frames : (int, int)
        The first frame that was segmented, and the one after the last.
    seconds : float
        How long that took, embedding included.
    objects : tuple of ObjectSummary
        By id.
    pictures : tuple of Picture
        In the order of time.
    """

    made_from: Mapping[str, Any]
    labels: Mapping[str, Any]
    frames: tuple[int, int]
    seconds: float
    objects: tuple[ObjectSummary, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Restore a record.

        Raises
        ------
        KeyError, OverflowError, TypeError, ValueError
            If it is not one.
        """
        if stored["format"] != _FORMAT:
            raise ValueError(f"{stored['format']!r} is not {_FORMAT!r}")
        first, stop = stored["frames"]
        return cls(
            made_from=dict(stored["made_from"]),
            labels=dict(stored["labels"]),
            frames=(int(first), int(stop)),
            seconds=_finite(stored["seconds"]),
            objects=tuple(map(ObjectSummary.from_json, stored["objects"])),
            pictures=tuple(map(Picture.from_json, stored["pictures"])),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as values that JSON preserves."""
        return {"format": _FORMAT, **asdict(self)}

    def differences(self, wanted: Mapping[str, Any]) -> list[str]:
        """Names of what is wanted in another way than it was made."""
        names = {**self.made_from, **wanted}
        return [key for key in names if self.made_from.get(key) != wanted.get(key)]


def read_record(path: Path) -> MovieRecord | None:
    """Read a record; None if there is none, or it makes no sense.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    with wrap_read_errors(path):
        if not path.exists():
            return None
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return MovieRecord.from_json(json.loads(text))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def write_record(path: Path, record: MovieRecord) -> None:
    """Write a record, whole or not at all.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    write_text(path, json.dumps(record.to_json()))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they are after they were written and read."""
    found: dict[str, Any] = json.loads(json.dumps(values))
    return found
