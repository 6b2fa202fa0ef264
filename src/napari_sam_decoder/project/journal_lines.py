"""The lines of a project file: a header, then numbered ops.

The line of an op is ``{"n":7,"op":"step","crc":"90ab12cd",...,"changes":[...]}``. Its
number, kind and checksum come first and its changes, which may be megabytes, last, so
that one can check a line and read its head without parsing them. Long ones are packed:
``"packed"`` is the base64 of their JSON, compressed by zlib. The checksum is the
CRC-32 of all bytes of the line but its own eight digits and the line break.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import ProjectError, first_line, wrap_os_errors
from napari_sam_decoder.project.compression import decompress_bounded
from napari_sam_decoder.project.movie_identity import MovieIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "FORMAT",
    "VERSION",
    "ProjectHeader",
    "StoredOp",
    "mark_current",
    "op_line",
    "parse_header",
    "read_header",
]

FORMAT = "napari-sam-decoder-project"
VERSION = 5
"""The first whose objects may be hidden, background objects, or have divided."""

_LONGEST_HEADER = 2**20

_OLDER = re.compile(
    rb'\{"format":\s*"%s",\s*"version":\s*[1234](?=[,}])' % FORMAT.encode()
)
_START = re.compile(rb'\{"n":(\d{1,18}),"op":"([\w-]+)","crc":"([0-9a-f]{8})"')
_CHANGES = re.compile(rb',"(changes|packed)":')
_RESERVED = {"n", "crc", "packed"}
_LONG = 4096
"""Bytes of changes from which they are packed."""
_MOST, _LEVEL = 2**30, 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _program_version() -> str:
    return version("napari-sam-decoder")


@dataclass(frozen=True)
class ProjectHeader:
    """The first line of a project file.

    Attributes
    ----------
    movie : MovieIdentity
        The movie on which all was done.
    model : str
        Identity or name of the network when the project was begun.
    contrast : (float, float) or None
        Intensities that it was shown as black and white.
    program : str
        Version of this package that has made the file.
    created : str
        When, in ISO 8601.
    """

    movie: MovieIdentity
    model: str
    contrast: tuple[float, float] | None = None
    program: str = field(default_factory=_program_version)
    created: str = field(default_factory=_now)

    def to_json(self) -> dict[str, Any]:
        """Return the header as values that JSON preserves."""
        own = {**asdict(self), "movie": self.movie.to_json()}
        return {"format": FORMAT, "version": VERSION, **own}

    @classmethod
    def from_json(cls, stored: Any) -> ProjectHeader:
        """Restore a header; unknown fields are ignored.

        Raises
        ------
        ProjectError
            If it is not that of a project, damaged, or of a newer version.
        """
        if not (isinstance(stored, dict) and stored.get("format") == FORMAT):
            raise ProjectError(
                "is not a project of napari-sam-decoder, or its first line is damaged; "
                "choose another file, or restore it from a backup"
            )
        if type(stored.get("version")) is int and stored["version"] > VERSION:
            raise ProjectError(
                f"was made by a newer version ({stored.get('program')}); update "
                "napari-sam-decoder"
            )
        try:
            return cls._from_fields(stored)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ProjectError(
                f"has a damaged first line ({type(error).__name__}: {error}); restore "
                "it from a backup"
            ) from error

    @classmethod
    def _from_fields(cls, stored: Mapping[str, Any]) -> ProjectHeader:
        if type(stored["version"]) is not int or stored["version"] < 1:
            raise ValueError(f"there is no version {stored['version']!r}")
        texts = [stored[name] for name in ("model", "program", "created")]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("model, program and created are texts")
        contrast = stored["contrast"]
        if contrast is not None:
            low, high = contrast
            contrast = (float(low), float(high))
        movie = MovieIdentity.from_json(stored["movie"])
        return cls(movie, texts[0], contrast, *texts[1:])

    def line(self) -> bytes:
        """Return the first line of a file."""
        return _dumped(self.to_json()) + b"\n"


def parse_header(line: bytes, path: Path) -> ProjectHeader:
    """Read the header from the first line of a file, which is named in errors.

    Raises
    ------
    ProjectError
        As `ProjectHeader.from_json`.
    """
    try:
        stored = _loaded(line) if line.endswith(b"\n") else None
    except ValueError:
        stored = None
    try:
        return ProjectHeader.from_json(stored)
    except ProjectError as error:
        raise ProjectError(f"{path} {error}") from error.__cause__


def read_header(path: Path) -> ProjectHeader:
    """Read the header of a project file, and nothing else.

    Raises
    ------
    ProjectError
        If the file cannot be read, or as `ProjectHeader.from_json`.
    """
    said = f"cannot open the project {path}"
    with wrap_os_errors(said, ProjectError), path.open("rb") as stream:
        return parse_header(stream.readline(_LONGEST_HEADER), path)


def mark_current(path: Path) -> None:
    """Let older programs refuse a file of theirs in which this one goes on.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with path.open("r+b") as stream:
        found = _OLDER.match(stream.readline(_LONGEST_HEADER))
        if found is not None:
            # A single byte, so that a kill leaves one version or the other.
            stream.seek(found.end() - 1)
            stream.write(b"%d" % VERSION)


@dataclass(frozen=True, slots=True)
class StoredOp:
    """An op in a file that has been checked, but not been parsed.

    Attributes
    ----------
    line_number : int
        Of its line in the file, from 1.
    number : int
        Ascending by one from line to line.
    kind : str
        Such as "step" or "checkpoint".
    raw : bytes
        The line.
    """

    line_number: int
    number: int
    kind: str
    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, raw: bytes, line_number: int) -> StoredOp | str:
        """Check a line; return what is wrong with a damaged one.

        Parameters
        ----------
        raw : bytes
            Without the line break.
        line_number : int
            From 1.
        """
        start = _START.match(raw)
        if start is None:
            return "it does not begin with a number, a kind and a checksum"
        number, kind, checksum = start.groups()
        if _checksum(raw[: start.start(3)], raw[start.end(3) :]) != checksum:
            return "its checksum is wrong"
        return cls(line_number, int(number), kind.decode(), raw)

    def head(self) -> dict[str, Any]:
        """Return all of the op but its changes, which are not parsed.

        Raises
        ------
        ProjectError
            If it is not valid JSON.
        """
        found = _CHANGES.search(self.raw)
        if found is not None:
            try:
                return _without_reserved(_loaded(self.raw[: found.start()] + b"}"))
            except ValueError:
                # An entry of a dictionary within has the same name.
                pass
        op = self.decode()
        op.pop("changes", None)
        return op

    def decode(self) -> dict[str, Any]:
        """Return the op as it was written.

        Raises
        ------
        ProjectError
            If it is not valid JSON.
        """
        try:
            return _without_reserved(_unpacked(_loaded(self.raw)))
        except (ProjectError, TypeError, ValueError) as error:
            raise ProjectError(
                f"line {self.line_number} of the project file is damaged "
                f"({first_line(error)})"
            ) from error


def op_line(number: int, op: Mapping[str, Any]) -> bytes:
    """Return the line of an op, with its line break.

    Parameters
    ----------
    number : int
        Of the op.
    op : mapping
        Values that JSON knows. "op" is its kind; "n" and "crc" are not allowed.

    Raises
    ------
    ValueError, TypeError
        If it cannot be written as such a line.
    """
    rest = dict(op)
    kind = rest.pop("op")
    if _RESERVED & rest.keys():
        raise ValueError(f"an op has no fields {', '.join(sorted(_RESERVED))}")
    if "changes" in rest:
        rest |= _changes_last(rest.pop("changes"))
    before = b'{"n":%d,"op":%s,"crc":"' % (number, _dumped(kind))
    after = b'"' + (b"," + _dumped(rest)[1:] if rest else b"}")
    line = before + _checksum(before, after) + after
    if _START.match(line) is None:
        raise ValueError(f"{kind!r} is no kind of op")
    return line + b"\n"


def _changes_last(changes: Any) -> dict[str, Any]:
    """Return the field that holds changes: as they are, or packed."""
    dumped = _dumped(changes)
    if len(dumped) < _LONG:
        return {"changes": changes}
    return {"packed": b64encode(zlib.compress(dumped, _LEVEL)).decode("ascii")}


def _unpacked(op: dict[str, Any]) -> dict[str, Any]:
    """Return an op with its changes as they were."""
    if "packed" in op:
        content = b64decode(op.pop("packed"), validate=True)
        op["changes"] = json.loads(decompress_bounded(content, _MOST))
    return op


def _checksum(before: bytes, after: bytes) -> bytes:
    return b"%08x" % zlib.crc32(after, zlib.crc32(before))


def _dumped(value: Any) -> bytes:
    text = json.dumps(value, separators=(",", ":"), default=_plain)
    return text.encode("ascii")


def _plain(value: Any) -> Any:
    """Convert a number of numpy, which JSON does not know."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no value of JSON")


def _loaded(raw: bytes) -> dict[str, Any]:
    """Parse an object of JSON; whatever is wrong with it is a `ValueError`."""
    try:
        value = json.loads(raw)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - of what is stored
    return value


def _without_reserved(op: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in op.items() if key not in _RESERVED}
