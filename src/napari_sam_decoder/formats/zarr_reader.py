"""zarr arrays and OME-Zarr images."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_sam_decoder.axes import axis_letters, colours_or_channels
from napari_sam_decoder.errors import FormatError, first_line
from napari_sam_decoder.formats.movie_source import (
    MovieSource,
    OpenOptions,
    StoredArray,
)
from napari_sam_decoder.formats.remote import is_remote, wrap_movie_read_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import zarr

__all__ = ["ZarrFrames", "is_zarr", "open_zarr"]

MARKERS = ("zarr.json", ".zarray", ".zgroup")
SHOWN_ARRAYS = 8
# The axes of OME-Zarr before version 0.3, which did not name them.
OLD_AXES = "TCZYX"


class ZarrFrames:
    """A zarr array whose read errors name its folder.

    Parameters
    ----------
    array : zarr.Array
    path : Path
        Named in messages.

    Raises
    ------
    FormatError
        If reading its chunks would run code.
    """

    def __init__(self, array: zarr.Array, path: Path) -> None:
        _refuse_pickles(array, path)
        self._array = array
        self._path = path
        self.shape: tuple[int, ...] = tuple(map(int, array.shape))
        self.dtype = np.dtype(array.dtype)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"ZarrFrames({self.shape}, {self.dtype})"

    def __getitem__(self, key: Any) -> np.ndarray:
        with wrap_movie_read_errors(self._path):
            return np.asarray(self._array[key])


def _refuse_pickles(array: zarr.Array, path: Path) -> None:
    """Numcodecs before 0.16.6 runs whatever code a pickled chunk holds.

    Raises
    ------
    FormatError
        If chunks of the array are pickled.
    """
    codecs = (*array.filters, *array.compressors)
    if any(getattr(codec, "codec_id", None) == "pickle" for codec in codecs):
        raise FormatError(
            f"{path} is refused: its chunks are pickled, so reading them could run "
            "code; save it as an array of numbers without the pickle codec"
        )


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group of format 2 or 3."""
    return any((path / marker).is_file() for marker in MARKERS)


def open_zarr(path: Path, options: OpenOptions) -> MovieSource:
    """Open an array, an OME-Zarr image, or a group of exactly one array.

    An OME-Zarr image of any version is read in full resolution, with its axes and pixel
    sizes. The axes of a plain array are read from its attribute ``axes``, else from its
    dimension names.

    Raises
    ------
    FormatError
        If the folder is corrupt or not a movie, or one of several must be chosen.
    """
    import zarr

    with wrap_movie_read_errors(path):
        node = _opened(path)
        with _metadata(path):
            if isinstance(node, zarr.Array):
                stored = _stored_array(node, path, options)
            else:
                stored = _stored_group(node, path, options)
        name = path.name.split(".")[0] or path.name
        return stored.as_movie(options, path, name)


def _opened(path: Path) -> zarr.Array | zarr.Group:
    """Open an array or a group.

    Raises
    ------
    FormatError
        If there is neither at an address.
    """
    import zarr

    if not is_remote(path):
        return zarr.open(path, mode="r")
    try:
        return zarr.open(str(path), mode="r")
    except (FileNotFoundError, zarr.errors.BaseZarrError) as error:
        raise FormatError(
            f"there is no zarr array or OME-Zarr image at {path}, and nothing else is "
            "read from an address; check it, or download the file"
        ) from error


@contextmanager
def _metadata(path: Path) -> Iterator[None]:
    """Turn errors in reading OME metadata into one that names the folder.

    Raises
    ------
    FormatError
        If the metadata are invalid.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise FormatError(
            f"the metadata of {path} are not those of an OME-Zarr image "
            f"({first_line(error)}); open the array itself, one folder below"
        ) from error


def _stored_group(group: zarr.Group, path: Path, options: OpenOptions) -> StoredArray:
    pictures = list(_pictures(group))
    if not pictures:
        array = _only_array(group, path)
        return _stored_array(array, path, options)
    names = [picture.name for picture in pictures]
    chosen = options.require_series(names, path)
    return _stored_picture(pictures[chosen], path, options)


class _Picture(NamedTuple):
    """An OME-Zarr image: the group of its resolution levels, and its metadata."""

    name: str
    group: zarr.Group
    description: Mapping[str, Any]
    version: str


def _pictures(group: zarr.Group) -> Iterator[_Picture]:
    """List the images of a group, or those that Bio-Formats put into its subgroups."""
    attributes = group.attrs.asdict()
    holder = attributes.get("ome", attributes)
    holder = holder if isinstance(holder, dict) else {}
    found = holder.get("multiscales")
    for place, description in enumerate(found if isinstance(found, list) else ()):
        name = str(description.get("name") or place)
        version = str(description.get("version") or holder.get("version") or "")
        yield _Picture(name, group, description, version)
    if "bioformats2raw.layout" in holder:
        inner = dict(group.groups())
        for name in sorted((key for key in inner if key.isdigit()), key=int):
            for picture in _pictures(inner[name]):
                yield picture._replace(name=name)


def _stored_picture(picture: _Picture, path: Path, options: OpenOptions) -> StoredArray:
    levels = picture.description["datasets"]
    array: Any = picture.group[levels[0]["path"]]
    axes = picture.description.get("axes")
    if axes is not None:
        letters = _fitting_letters(axes, array, path, options)
    else:
        # Before version 0.3 all images had the same axes.
        is_old = picture.version in ("", "0.1", "0.2") and array.ndim == len(OLD_AXES)
        letters = OLD_AXES if is_old else None
    if letters is None and options.axes is None:
        raise FormatError(
            f"{path} does not name its axes; name them with --axes (in Python axes=)"
        )
    return StoredArray(
        ZarrFrames(array, path),
        letters and colours_or_channels(letters, array.shape),
        _sizes(picture, letters or ""),
        _channel_names(picture.group),
        _unit(axes or ()),
        tuple(_coarser(picture.group, array, levels[1:], path)),
    )


def _coarser(
    group: zarr.Group, finest: zarr.Array, levels: Sequence[Any], path: Path
) -> Iterator[ZarrFrames]:
    """Yield the other levels of a picture, as far as they are there."""
    for level in levels:
        array: Any = group.get(level["path"])
        if array is not None and array.ndim == finest.ndim:
            yield ZarrFrames(array, path)


def _sizes(picture: _Picture, letters: str) -> dict[str, float]:
    steps = [
        np.asarray(step["scale"], float)
        for holder in (picture.description["datasets"][0], picture.description)
        for step in holder.get("coordinateTransformations", [])
        if len(step.get("scale", "")) == len(letters)
    ]
    if not steps:
        return {}
    return dict(zip(letters, np.prod(steps, axis=0).tolist(), strict=True))


def _unit(axes: Sequence[Any]) -> str:
    """Unit of the last axis, which is one of space."""
    last = axes[-1] if axes else None
    return str(last.get("unit") or "") if isinstance(last, dict) else ""


def _axis_letter(axis: Any) -> str:
    """Letter of an axis, by its type if possible, else by its name."""
    if not isinstance(axis, dict):
        return axis_letters([axis]) or str(axis)[:1].upper()
    by_type = {"time": "T", "channel": "C"}.get(str(axis.get("type")))
    return by_type or _axis_letter(axis["name"])


def _channel_names(group: zarr.Group) -> tuple[str, ...]:
    attributes = group.attrs.asdict()
    holder = attributes.get("ome", attributes)
    shown = holder.get("omero", {}) if isinstance(holder, dict) else {}
    channels = shown.get("channels", []) if isinstance(shown, dict) else []
    return tuple(
        str(channel.get("label") or place) if isinstance(channel, dict) else str(place)
        for place, channel in enumerate(channels)
    )


def _only_array(group: zarr.Group, path: Path) -> zarr.Array:
    arrays = dict(group.arrays())
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    names = sorted(arrays) or sorted(f"{name}/" for name in group.group_keys())
    if not names:
        raise FormatError(f"{path} holds no arrays; check the path")
    shown = ", ".join(names[:SHOWN_ARRAYS])
    more = ", ..." if len(names) > SHOWN_ARRAYS else ""
    raise FormatError(
        f"{path} is a group of {shown}{more}; open one of these, as in "
        f"{path / names[0]}"
    )


def _stored_array(array: zarr.Array, path: Path, options: OpenOptions) -> StoredArray:
    attributes: dict[str, Any] = array.attrs.asdict()
    axes = attributes.get("axes")
    if axes is not None:
        letters = _fitting_letters(axes, array, path, options)
    else:
        names = getattr(array.metadata, "dimension_names", None)
        letters = axis_letters(names) if names else None
    spelled = letters and colours_or_channels(letters, array.shape)
    # As labels saved from napari have it.
    scale = attributes.get("scale") or ()
    sizes = dict(zip(spelled or "", scale, strict=False))
    return StoredArray(ZarrFrames(array, path), spelled, sizes)


def _fitting_letters(
    axes: Sequence[Any], array: zarr.Array, path: Path, options: OpenOptions
) -> str | None:
    """Letters of the stored axes; None if they do not fit and the user names them."""
    letters = "".join(map(_axis_letter, axes))
    if len(letters) == array.ndim:
        return letters
    if options.axes is None:
        raise FormatError(
            f"{path} names the axes {letters} of an array of shape {array.shape}; give "
            "a letter for each axis with --axes (in Python axes=), or correct the "
            "metadata"
        )
    return None
