"""zarr arrays and OME-Zarr pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import FormatError
from napari_sam_decoder.formats.failure import reading
from napari_sam_decoder.formats.source import (
    MovieSource,
    choose_axes,
    scale_of,
    spread_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import zarr

__all__ = ["is_zarr", "open_zarr"]

MARKERS = ("zarr.json", ".zarray", ".zgroup")
SHOWN_ARRAYS = 8


class ZarrFrames:
    """Some axes of a zarr array; the others have length 1 and are left out.

    Parameters
    ----------
    array : zarr.Array
    kept : tuple of int
    path : Path
        For messages.
    """

    def __init__(self, array: zarr.Array, kept: tuple[int, ...], path: Path) -> None:
        self._array = array
        self._kept = kept
        self._path = path

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"ZarrFrames({self.shape}, {self.dtype})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(int(self._array.shape[index]) for index in self._kept)

    @property
    def dtype(self) -> np.dtype:
        """Type of one pixel."""
        return np.dtype(self._array.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._kept)

    def __getitem__(self, key: Any) -> np.ndarray:
        parts = spread_key(key, self.ndim)
        whole: list[Any] = [0] * self._array.ndim
        for place, index in enumerate(self._kept):
            whole[index] = parts[place] if place < len(parts) else slice(None)
        with reading(self._path):
            return np.asarray(self._array[tuple(whole)])


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr array or group of format 2 or 3."""
    return any((path / marker).is_file() for marker in MARKERS)


def open_zarr(path: Path) -> MovieSource:
    """Open an array, an OME-Zarr picture, or a group around exactly one array.

    Of an OME-Zarr picture (multiscales of version 0.4 or 0.5) the full resolution is
    taken, with its axes and the size of its pixels. The axes of a plain array are read
    from its attribute ``axes``, else from its dimension names.

    Raises
    ------
    FormatError
        If the folder is broken, or holds no movie or several.
    """
    import zarr

    with reading(path):
        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Array):
            return _source(node, _axes_of_array(node, path), {}, path)
        multiscales = _multiscales(node.attrs.asdict())
        if multiscales:
            return _open_multiscales(node, multiscales[0], path)
        array = _only_array(node, path)
        return _source(array, _axes_of_array(array, path), {}, path)


def _source(
    array: zarr.Array, axes: str | None, sizes: Mapping[str, Any], path: Path
) -> MovieSource:
    name = path.name.split(".")[0] or path.name
    if axes is None:
        frames = ZarrFrames(array, tuple(range(array.ndim)), path)
        return MovieSource(frames, None, None, name)
    choice = choose_axes(axes, array.shape, path)
    frames = ZarrFrames(array, choice.kept, path)
    return MovieSource(frames, choice.axes, scale_of(sizes, choice.axes), name)


def _multiscales(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    holder = attributes.get("ome", attributes)
    found = holder.get("multiscales", []) if isinstance(holder, dict) else []
    return found if isinstance(found, list) else []


def _open_multiscales(
    group: zarr.Group, description: Mapping[str, Any], path: Path
) -> MovieSource:
    level = description["datasets"][0]
    array: Any = group[level["path"]]
    axes = "".join(_axis_letter(axis) for axis in description["axes"])
    factors = np.ones(len(axes))
    for holder in (level, description):
        for step in holder.get("coordinateTransformations", []):
            factors *= step.get("scale", 1.0)
    _require_letters(axes, array, path)
    return _source(array, axes, dict(zip(axes, factors, strict=True)), path)


def _axis_letter(axis: Any) -> str:
    name = axis["name"] if isinstance(axis, dict) else axis
    return str(name)[:1].upper()


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


def _axes_of_array(array: zarr.Array, path: Path) -> str | None:
    axes: Any = array.attrs.asdict().get("axes")
    if axes is not None:
        letters = "".join(_axis_letter(axis) for axis in axes)
        _require_letters(letters, array, path)
        return letters
    names = getattr(array.metadata, "dimension_names", None) or ()
    if names and all(name and name[0].upper() in "TZYXC" for name in names):
        return "".join(_axis_letter(name) for name in names)
    return None


def _require_letters(axes: str, array: zarr.Array, path: Path) -> None:
    if len(axes) != array.ndim:
        raise FormatError(
            f"{path} names the axes {axes} of an array of shape {array.shape}; mend "
            "the attribute 'axes' so that it has a letter for each axis"
        )
