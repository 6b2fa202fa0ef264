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
from napari_sam_decoder.formats.pillow_reader import (
    PICTURE_SUFFIXES,
    open_picture,
    picture_layout,
)
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
    "has_pictures",
    "open_folder",
]

MOST_WITHOUT_FRAMES = 8
"""If more names differ in a single number, that number counts the frames."""


@dataclass(frozen=True)
class NumberKind:
    """Words before a number that tell what it counts.

    Attributes
    ----------
    sure : tuple of str
        Words that are conclusive by themselves.
    likely : tuple of str
        Words that are conclusive where names differ in nothing else.
    """

    sure: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()

    def find(self, name: str) -> re.Match[str] | None:
        """Find the number with its word and the letters that follow it."""
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
    """Group names by what a number in them counts, where another one counts frames.

    Parameters
    ----------
    names : sequence of str
        Names of the images in a folder.
    counter : Counter
        What the number may count.

    Returns
    -------
    mapping of str to sequence of str
        By the number as written, such as "Ch0" or "w1DAPI"; empty if there is only
        one group.
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
    return _group_by(keys, names) if is_group else {}


def group_by_words(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Group names by their words, where each group has the same numbers.

    Parameters
    ----------
    names : sequence of str
        Such as "001_DAPI.tif", "001_GFP.tif", "002_DAPI.tif" and "002_GFP.tif".

    Returns
    -------
    mapping of str to sequence of str
        By the part in which they differ; empty if there is only one group.
    """
    patterns = [re.sub(r"\d+", "*", name) for name in names]
    numbers: dict[str, set[tuple[str, ...]]] = {}
    for name, pattern in zip(names, patterns, strict=True):
        numbers.setdefault(pattern, set()).add(tuple(re.findall(r"\d+", name)))
    counted = list(numbers.values())
    are_alike = all(found == counted[0] for found in counted)
    if len(counted) < 2 or len(counted[0]) < 2 or not are_alike:
        return {}
    called = _distinguishing_words(list(numbers))
    return _group_by([called[pattern] for pattern in patterns], names)


def _distinguishing_words(patterns: Sequence[str]) -> dict[str, str]:
    """Map patterns of names to the words in which they differ."""
    split = [re.split(r"([\W_]+)", pattern) for pattern in patterns]
    fewest = min(map(len, split)) - 1
    first = last = 0
    while first < fewest and len({words[first] for words in split}) == 1:
        first += 1
    while last < fewest - first and len({words[-1 - last] for words in split}) == 1:
        last += 1
    parts = ["".join(words[first : len(words) - last]) for words in split]
    parts = [part.strip("*_-. ") for part in parts]
    is_clear = all(parts) and len(set(parts)) == len(parts)
    return dict(zip(patterns, parts if is_clear else patterns, strict=True))


def _group_by(keys: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {key: [] for key in sorted(set(keys))}
    for key, name in zip(keys, names, strict=True):
        groups[key].append(name)
    return groups


TIFF_FRAMES = (".tif", ".tiff")
"""TIFF files of other suffixes hold whole movies."""
IMAGE_SUFFIXES = (*PICTURE_SUFFIXES, *TIFF_FRAMES)
SHOWN_FOLDERS = 5


def open_folder(path: Path, options: OpenOptions) -> MovieSource:
    """Open a folder of images, in the natural order of their names (2 before 10).

    Hidden files and other files are ignored. Where the names count channels as well as
    frames, one channel is taken. Where they count planes, there are the axes T and Z,
    and one position along them is taken. The header of every image is read, so that one
    that does not fit is found before any long work.

    Raises
    ------
    FormatError
        If there are no images, if they differ in size, colours or dtype, or if a
        channel or position must be chosen.
    """
    with wrap_read_errors(path):
        pictures = sorted(filter(_is_image, path.iterdir()), key=_natural_key)
    if not pictures:
        raise FormatError(_no_images_message(path))
    listing, options = _one_channel(_one_series(pictures, path, options), path, options)
    planes = group_by_number([picture.name for picture in listing], DEPTHS)
    if planes:
        listing = _by_frame_and_plane(listing, path)
    within = replace(options, axes=None, series=None, at=None)
    shape, dtype = _layout(listing[0], within)
    for picture in listing[1:]:
        if _layout(picture, within) != (shape, dtype):
            raise FormatError(_mismatch_message(picture, listing[0], within))
    leading = (len(listing) // len(planes), len(planes)) if planes else (len(listing),)
    data = FrameArray(
        (*leading, *shape),
        dtype,
        lambda frame: _read(listing[frame], within),
        counting=len(leading),
    )
    letters = ("TZ" if planes else "T") + ("YX" if len(shape) == 2 else "YXS")
    stored = StoredArray(data, letters)
    return stored.as_movie(replace(options, channel=None), path, path.name)


def _one_series(
    pictures: Sequence[Path], path: Path, options: OpenOptions
) -> Sequence[Path]:
    """Take the images of one position, where the names count several."""
    positions = group_by_number([picture.name for picture in pictures], POSITIONS)
    if not positions:
        options.series_index([path.name], path)
        return pictures
    names = list(positions)
    place = options.series_index(names, path)
    if place is None:
        raise FormatError(_choice_message(path, "positions", SERIES_OPTION, names))
    return _select_names(pictures, positions[names[place]])


def _one_channel(
    pictures: Sequence[Path], path: Path, options: OpenOptions
) -> tuple[Sequence[Path], OpenOptions]:
    """Take the images of one channel, where the names count or name several."""
    listing = [picture.name for picture in pictures]
    channels = group_by_number(listing, CHANNELS) or group_by_words(listing)
    if not channels:
        return pictures, options
    names = list(channels)
    if options.channel is None:
        raise FormatError(_choice_message(path, "channels", CHANNEL_OPTION, names))
    with wrap_movie_errors(path):
        count = len(names)
        place = resolve_entry(options.channel, count, names, "channel", CHANNEL_OPTION)
    return _select_names(pictures, channels[names[place]]), replace(
        options, channel=None
    )


def _by_frame_and_plane(pictures: Sequence[Path], path: Path) -> list[Path]:
    """Sort images by their frame, then by their plane, of which each has as many."""
    planes: dict[str, dict[str, Path]] = {}
    for picture in pictures:
        found = DEPTHS.find(picture.name)
        assert found is not None
        frame = f"{picture.name[: found.start()]}*{picture.name[found.end() :]}"
        planes.setdefault(frame, {})[found[0]] = picture
    every = sorted(
        {name for one in planes.values() for name in one}, key=_natural_parts
    )
    for one in planes.values():
        missing = [name for name in every if name not in one]
        if missing:
            raise FormatError(
                f"{path} holds {len(every)} planes of each frame "
                f"({numbered_list(len(every), every)}), but beside "
                f"{next(iter(one.values())).name} plane {missing[0]} is missing; add "
                "it, or move the pictures of one plane, or of one frame, to a folder "
                "of their own"
            )
    return [one[name] for one in planes.values() for name in every]


def _select_names(pictures: Sequence[Path], names: Sequence[str]) -> list[Path]:
    chosen = set(names)
    return [picture for picture in pictures if picture.name in chosen]


def _choice_message(path: Path, what: str, option: str, names: Sequence[str]) -> str:
    return (
        f"{path} holds images of {len(names)} {what}; choose one with {option}: "
        f"{numbered_list(len(names), names)}; or move each to a folder of "
        "its own"
    )


def _is_image(path: Path) -> bool:
    return (
        path.suffix.lower() in IMAGE_SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
    )


def has_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures, which may be frames of a movie."""
    return any(_is_image(child) for child in folder.iterdir())


def _natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key that compares runs of digits as numbers, and ties by the name."""
    return _natural_parts(path.name), path.name


def _natural_parts(name: str) -> list[tuple[int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name.casefold())
    return [(int(part), "") if part[0].isdigit() else (-1, part) for part in parts]


def _no_images_message(path: Path) -> str:
    wanted = ", ".join(suffix.lstrip(".") for suffix in IMAGE_SUFFIXES)
    folders = sorted(
        child.name
        for child in path.iterdir()
        if child.is_dir() and not child.name.startswith(".")
    )
    if not folders:
        return f"{path} holds no images; a movie in a folder consists of {wanted} files"
    shown = ", ".join(folders[:SHOWN_FOLDERS])
    more = ", ..." if len(folders) > SHOWN_FOLDERS else ""
    return (
        f"{path} holds no images ({wanted}) but the folders {shown}{more}; open one "
        "of these"
    )


def _layout(path: Path, options: OpenOptions) -> tuple[tuple[int, ...], np.dtype]:
    if path.suffix.lower() in TIFF_FRAMES:
        source = _tiff_picture(path, options)
    elif options.channel is None:
        return picture_layout(path, are_ids=options.are_ids)
    else:
        source = open_picture(path, options)
    return tuple(source.data.shape), np.dtype(source.data.dtype)


def _mismatch_message(picture: Path, first: Path, options: OpenOptions) -> str:
    shape, dtype = _layout(picture, options)
    first_shape, first_dtype = _layout(first, options)
    return (
        f"{picture} has shape {shape} and type {dtype}, but {first.name} has "
        f"{first_shape} and {first_dtype}; all frames must have the same, so move "
        "or convert the others"
    )


def _read(path: Path, options: OpenOptions) -> np.ndarray:
    if path.suffix.lower() in TIFF_FRAMES:
        return np.asarray(_tiff_picture(path, options).data[...])
    return np.asarray(open_picture(path, options).data)


def _tiff_picture(path: Path, options: OpenOptions) -> MovieSource:
    source = TiffStack(path, options).stored.as_movie(options, path, path.stem)
    if source.axes is not None and source.axes[0] != "Y":
        raise FormatError(
            f"{path} holds {len(source.data)} images, but in a folder each file is one "
            "frame; open this file by itself, or move it elsewhere"
        )
    return source
