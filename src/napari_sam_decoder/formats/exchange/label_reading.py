"""Labels in a file or an array, as they are exchanged with other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.formats.exchange.label_movie import LabelMovie
from napari_sam_decoder.formats.label_files import (
    is_tiff,
    open_labels,
    read_provenance,
)
from napari_sam_decoder.formats.movie_source import OpenOptions
from napari_sam_decoder.formats.readers import open_with_options
from napari_sam_decoder.formats.zarr_reader import is_zarr
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_label_movie"]


def read_label_movie(
    path: str | Path, axes: str | None = None, at: Mapping[str, int] | None = None
) -> LabelMovie:
    """Open labels in a file, with what the file says of their objects.

    Parameters
    ----------
    path : str or Path
        As for `open_labels`.
    axes : {"TYX", "ZYX"}, optional
        By default as the file says, else "TYX".
    at : mapping of str to int, optional
        The position in labels of more axes, as for `open_labels`.

    Raises
    ------
    FormatError, LabelsError
        As `open_labels`.
    OptionError
        If there are no such axes.
    """
    if axes not in (None, "TYX", "ZYX"):
        raise OptionError(f"labels have the axes TYX or ZYX, not {axes!r}")
    place = as_expanded_path(path, "labels", FormatError)
    frames = open_labels(place, at=at)
    source = open_with_options(place, OpenOptions(are_ids=True, at=at))
    # Other formats have none.
    has_provenance = is_zarr(place) or is_tiff(place)
    provenance = read_provenance(place) if has_provenance else {}
    said = axes or (source.axes or "").rjust(3, "T")
    scale, unit = source.scale, source.unit
    if scale is None and provenance.get("scale"):
        scale, unit = _noted_scale(provenance, said), str(provenance.get("unit", ""))
    if scale is not None:
        scale = (1.0,) * (3 - len(scale)) + tuple(scale)
    objects = provenance.get("objects", {})
    return LabelMovie(
        frames,
        said if said in ("TYX", "ZYX") else "TYX",
        scale,
        unit,
        {int(key): one["name"] for key, one in objects.items() if one.get("name")},
        {int(key): one["parent"] for key, one in objects.items() if one.get("parent")},
        provenance,
    )


def _noted_scale(provenance: Mapping[str, Any], axes: str) -> tuple[float, ...]:
    """Size of a pixel along these axes, as it is noted for the axes of the movie."""
    sizes = tuple(map(float, provenance["scale"]))
    noted = str(provenance.get("axes", "")).removesuffix("C")
    if len(noted) == len(sizes) > len(axes):
        return tuple(dict(zip(noted, sizes, strict=True)).get(one, 1.0) for one in axes)
    return sizes
