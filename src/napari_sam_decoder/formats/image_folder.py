"""Folders that hold a movie as one picture per frame."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.axes import CHANNEL_OPTION, numbered_list, resolve_entry
from napari_sam_decoder.errors import FormatError, wrap_read_errors
from napari_sam_decoder.formats.movie_source import (
    SERIES_OPTION,
    FrameArray,
    MovieSource,
    OpenOptions,
    StoredArray,
    wrap_movie_errors,
)
from napari_sam_decoder.formats.pillow_reader import open_picture, picture_layout
from napari_sam_decoder.formats.tiff import TiffStack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = [
    "CHANNELS",
    "DEPTHS",
    "POSITIONS",
    "NumberKind",
    "group_by_number",
    "group_by_words",
    "open_folder",
]

MOST_WITHOUT_FRAMES = 8
"""Of more names that differ in a single number, the number counts the frames."""


@dataclass(frozen=True)
class NumberKind:
    """Words that stand before a number, and say what it counts.

    Attributes
    ----------
    sure : tuple of str
        Words that say so by themselves.
    likely : tuple of str
        Words that say so where several names differ in nothing else.
    """

    sure: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()

    def find(self, name: str) -> re.Match[str] | None:
        """Find the number with its word, and the letters that follow it."""
        words = (*self.sure, *self.likely)
        matches = _NUMBER.finditer(name)
        return next((one for one in matches if one[1].lower() in words), None)


CHANNELS = NumberKind(("ch", "chan", "channel", "wavelength"), ("c", "w", "wave"))
POSITIONS = NumberKind(
    (), ("s", "p", "xy", "pos", "position", "site", "field", "fov", "series", "scene")
)
DEPTHS = NumberKind((), ("z", "slice", "plane", "depth"))

# As in "Ch0", "_w1DAPI", "channel_2", "C1-" and "t001c1".
_NUMBER = re.compile(r"([^\W\d_]*)[ _\-=]?\d+(?:[^\W\d_]+(?![^\W_]))?")


def group_by_number(
    names: Sequence[str], counter: NumberKind
) -> Mapping[str, Sequence[str]]:
    """Sort names by what a number in them counts, where another one counts frames.

    Parameters
    ----------
    names : sequence of str
        Of the pictures in a folder.
    counter : Counter
        What the number would count.

    Returns
    -------
    mapping of str to sequence of str
        By how the number is written, such as "Ch0" or "w1DAPI"; empty if there are
        no several groups.
    """
    matches = [counter.find(name) for name in names]
    found = [match for match in matches if match is not None]
    keys = [match[0] for match in found]
    if len(found) < len(names) or len(set(keys)) < 2:
        return {}
    frames = {f"{one.string[: one.start()]}*{one.string[one.end() :]}" for one in found}
    is_sure = all(match[1].lower() in counter.sure for match in found)
    if len(frames) == 1:
        is_group = is_sure and len(names) <= MOST_WITHOUT_FRAMES
    else:
        is_group = is_sure or len(frames) < len(names)
    return _sorted_by(keys, names) if is_group else {}


def group_by_words(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Sort names that differ in more than numbers, where each kind has the same ones.

    Parameters
    ----------
    names : sequence of str
        Such as "001_DAPI.tif", "001_GFP.tif", "002_DAPI.tif" and "002_GFP.tif".

    Returns
    -------
    mapping of str to sequence of str
        By the part in which they differ; empty if there is but one kind.
    """
    wordings = [re.sub(r"\d+", "*", name) for name in names]
    numbers: dict[str, set[tuple[str, ...]]] = {}
    for name, wording in zip(names, wordings, strict=True):
        numbers.setdefault(wording, set()).add(tuple(re.findall(r"\d+", name)))
    counted = list(numbers.values())
    are_alike = all(found == counted[0] for found in counted)
    if len(counted) < 2 or len(counted[0]) < 2 or not are_alike:
        return {}
    called = _differences(list(numbers))
    return _sorted_by([called[wording] for wording in wordings], names)


def _differences(wordings: Sequence[str]) -> dict[str, str]:
    """Reduce wordings to the words in which they differ."""
    split = [re.split(r"([\W_]+)", wording) for wording in wordings]
    fewest = min(map(len, split)) - 1
    first = last = 0
    while first < fewest and len({words[first] for words in split}) == 1:
        first += 1
    while last < fewest - first and len({words[-1 - last] for words in split}) == 1:
        last += 1
    parts = ["".join(words[first : len(words) - last]) for words in split]
    parts = [part.strip("*_-. ") for part in parts]
    is_clear = all(parts) and len(set(parts)) == len(parts)
    return dict(zip(wordings, parts if is_clear else wordings, strict=True))


def _sorted_by(keys: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {key: [] for key in sorted(set(keys))}
    for key, name in zip(keys, names, strict=True):
        groups[key].append(name)
    return groups


TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", *TIFF_SUFFIXES)
SHOWN_FOLDERS = 5


def open_folder(path: Path, wanted: OpenOptions) -> MovieSource:
    """Open a folder of pictures, in the natural order of their names (2 before 10).

    Hidden files and files that are no pictures are left out. Where the names count
    channels as well as frames, one channel is taken. The header of every picture is
    read, so that one that does not fit is found before any long work.

    Raises
    ------
    FormatError
        If there are no pictures, if they differ in size, colours or type, or if there
        are several channels to choose from.
    """
    with wrap_read_errors(path):
        pictures = sorted(filter(_is_picture, path.iterdir()), key=_natural)
    if not pictures:
        raise FormatError(_without_pictures(path))
    listing, wanted = _one_channel(_one_series(pictures, path, wanted), path, wanted)
    _require_one_plane(listing, path)
    within = replace(wanted, axes=None, series=None)
    shape, dtype = _layout(listing[0], within)
    for picture in listing[1:]:
        if _layout(picture, within) != (shape, dtype):
            raise FormatError(_unlike(picture, listing[0], within))
    data = FrameArray(
        (len(listing), *shape), dtype, lambda frame: _read(listing[frame], within)
    )
    stored = StoredArray(data, "TYX" if len(shape) == 2 else "TYXS")
    return stored.as_movie(replace(wanted, channel=None), path, path.name)


def _one_series(
    pictures: Sequence[Path], path: Path, wanted: OpenOptions
) -> Sequence[Path]:
    """Take the pictures of one position, where the names count several."""
    positions = group_by_number([picture.name for picture in pictures], POSITIONS)
    if not positions:
        wanted.series_index([path.name], path)
        return pictures
    names = list(positions)
    place = wanted.series_index(names, path)
    if place is None:
        raise FormatError(_several(path, "positions", SERIES_OPTION, names))
    return _named(pictures, positions[names[place]])


def _one_channel(
    pictures: Sequence[Path], path: Path, wanted: OpenOptions
) -> tuple[Sequence[Path], OpenOptions]:
    """Take the pictures of one channel, where the names count or name several."""
    listing = [picture.name for picture in pictures]
    channels = group_by_number(listing, CHANNELS) or group_by_words(listing)
    if not channels:
        return pictures, wanted
    names = list(channels)
    if wanted.channel is None:
        raise FormatError(_several(path, "channels", CHANNEL_OPTION, names))
    with wrap_movie_errors(path):
        count = len(names)
        place = resolve_entry(wanted.channel, count, names, "channel", CHANNEL_OPTION)
    return _named(pictures, channels[names[place]]), replace(wanted, channel=None)


def _require_one_plane(pictures: Sequence[Path], path: Path) -> None:
    planes = group_by_number([picture.name for picture in pictures], DEPTHS)
    if planes:
        raise FormatError(
            f"{path} holds {len(planes)} planes "
            f"({numbered_list(len(planes), list(planes))}) of each frame; move those "
            "of one plane, or of one frame, to a folder of their own"
        )


def _named(pictures: Sequence[Path], names: Sequence[str]) -> list[Path]:
    chosen = set(names)
    return [picture for picture in pictures if picture.name in chosen]


def _several(path: Path, what: str, option: str, names: Sequence[str]) -> str:
    return (
        f"{path} holds pictures of {len(names)} {what}; choose one with {option}: "
        f"{numbered_list(len(names), names)}; or move what does not belong together to "
        "folders of its own"
    )


def _is_picture(path: Path) -> bool:
    return (
        path.suffix.lower() in PICTURE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Compare runs of digits as numbers; by the plain name where all else is equal."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name.casefold())
    numbered = [(int(part), "") if part[0].isdigit() else (-1, part) for part in parts]
    return numbered, path.name


def _without_pictures(path: Path) -> str:
    wanted = ", ".join(suffix.lstrip(".") for suffix in PICTURE_SUFFIXES)
    folders = sorted(
        child.name
        for child in path.iterdir()
        if child.is_dir() and not child.name.startswith(".")
    )
    if not folders:
        return f"{path} holds no pictures; a movie in a folder is of {wanted} files"
    shown = ", ".join(folders[:SHOWN_FOLDERS])
    more = ", ..." if len(folders) > SHOWN_FOLDERS else ""
    return (
        f"{path} holds no pictures ({wanted}) but the folders {shown}{more}; open one "
        "of these"
    )


def _layout(path: Path, wanted: OpenOptions) -> tuple[tuple[int, ...], np.dtype]:
    if path.suffix.lower() in TIFF_SUFFIXES:
        source = _tiff_picture(path, wanted)
    elif wanted.channel is None:
        return picture_layout(path, are_ids=wanted.are_ids)
    else:
        source = open_picture(path, wanted)
    return tuple(source.data.shape), np.dtype(source.data.dtype)


def _unlike(picture: Path, first: Path, wanted: OpenOptions) -> str:
    shape, dtype = _layout(picture, wanted)
    first_shape, first_dtype = _layout(first, wanted)
    return (
        f"{picture} has shape {shape} and type {dtype}, but {first.name} has "
        f"{first_shape} and {first_dtype}; the frames of a movie must be alike, so "
        "move or convert the others"
    )


def _read(path: Path, wanted: OpenOptions) -> np.ndarray:
    if path.suffix.lower() in TIFF_SUFFIXES:
        return np.asarray(_tiff_picture(path, wanted).data[...])
    return np.asarray(open_picture(path, wanted).data)


def _tiff_picture(path: Path, wanted: OpenOptions) -> MovieSource:
    source = TiffStack(path, wanted).stored.as_movie(wanted, path, path.stem)
    if source.axes is not None and source.axes[0] != "Y":
        raise FormatError(
            f"{path} holds {len(source.data)} pictures, but in a folder each file is "
            "one frame; open this file by itself, or move it elsewhere"
        )
    return source
