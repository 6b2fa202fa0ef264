"""Labels in a file or an array, as they are exchanged with other programs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import FormatError, OptionError
from napari_sam_decoder.formats.exchange.label_movie import LabelMovie
from napari_sam_decoder.formats.label_files import open_labels, read_provenance
from napari_sam_decoder.formats.movie_source import OpenOptions
from napari_sam_decoder.formats.readers import open_with_options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_label_movie"]


def read_label_movie(path: Path, axes: str | None = None) -> LabelMovie:
    """Open labels in a file, with what the file says of their objects.

    Parameters
    ----------
    path : Path
        As for `open_labels`.
    axes : {"TYX", "ZYX"}, optional
        By default as the file says, else "TYX".

    Raises
    ------
    FormatError, LabelsError
        As `open_labels`.
    OptionError
        If there are no such axes.
    """
    if axes not in (None, "TYX", "ZYX"):
        raise OptionError(f"labels have the axes TYX or ZYX, not {axes!r}")
    frames = open_labels(path)
    source = open_with_options(path, OpenOptions(are_ids=True))
    provenance: Mapping[str, Any] = {}
    # Other formats have none.
    with suppress(FormatError):
        provenance = read_provenance(path)
    said = axes or (source.axes or "").rjust(3, "T")
    noted_scale, noted_unit = provenance.get("scale"), provenance.get("unit", "")
    scale, unit = source.scale, source.unit
    if scale is None and noted_scale:
        scale, unit = tuple(map(float, noted_scale)), str(noted_unit)
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
