"""Which formats there are, and which one the name of a file asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import FormatError, LabelsError, OptionError
from napari_sam_decoder.formats.exchange.cell_tracking import write_cell_tracking
from napari_sam_decoder.formats.exchange.coco import write_coco
from napari_sam_decoder.formats.exchange.geff_file import write_geff
from napari_sam_decoder.formats.exchange.label_movie import LabelMovie
from napari_sam_decoder.formats.exchange.ome_zarr import (
    is_ome_zarr_labels,
    write_ome_zarr,
)
from napari_sam_decoder.formats.exchange.plain_labels import write_plain_labels
from napari_sam_decoder.formats.exchange.tiff_files import write_imagej, write_ome_tiff
from napari_sam_decoder.formats.exchange.tracks import write_tracks
from napari_sam_decoder.validation import as_expanded_path, as_instance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


__all__ = ["EXPORT_FORMATS", "ExportFormat", "export_format"]


@dataclass(frozen=True)
class ExportFormat:
    """A format in which labels can be written.

    Attributes
    ----------
    name : str
        For ``convert --format``.
    title : str
        For people.
    suffixes : tuple of str
        Names of files that ask for it, in lower case.
    writer : callable
        Takes a `LabelMovie` and the path; yields frames as they are done.
    passes : int
        How often each frame is yielded.
    goes_into_image : bool
        Whether the path is that of labels in an image.
    has_tracks : bool
        Whether it holds tracks, so that volumes do not fit.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    writer: Callable[[LabelMovie, Path], Iterator[int]]
    passes: int = 1
    goes_into_image: bool = False
    has_tracks: bool = False

    def write(self, movie: LabelMovie, path: str | Path) -> Iterator[int]:
        """Write labels.

        Parameters
        ----------
        movie : LabelMovie
            What to write.
        path : str or Path
            Where it goes. A file, or a folder of the same format, that is there is
            replaced.

        Returns
        -------
        iterator of int
            Frames as they are done, each `passes` times. The output appears with the
            last one; stopping before leaves what was there.

        Raises
        ------
        LabelsError
            At once if volumes do not fit; later if it cannot hold these labels.
        FormatError
            Later, if the disk cannot be written, or something else is in its place.
        """
        as_instance(movie, LabelMovie, "a label movie", OptionError)
        place = as_expanded_path(path, "an output", OptionError).absolute()
        if self.has_tracks and movie.axes != "TYX":
            raise LabelsError(
                f"a {self.title} needs time, but these are labels of a volume "
                f"({movie.axes}); if the first axis is time, say so with --axes TYX "
                "(in Python axes=)"
            )
        return self.writer(movie, place)


_OME_ZARR = ExportFormat(
    "ome-zarr",
    "Labels in an OME-Zarr image",
    (),
    write_ome_zarr,
    goes_into_image=True,
)
_CELL_TRACKING = ExportFormat(
    "ctc",
    "Cell Tracking Challenge folder",
    (),
    write_cell_tracking,
    passes=2,
    has_tracks=True,
)
EXPORT_FORMATS = (
    ExportFormat(
        "zarr",
        "zarr array with provenance",
        (".zarr",),
        write_plain_labels,
    ),
    _OME_ZARR,
    ExportFormat("ome-tiff", "OME-TIFF", (".ome.tif", ".ome.tiff"), write_ome_tiff),
    ExportFormat("imagej", "TIFF for ImageJ", (".tif", ".tiff"), write_imagej),
    _CELL_TRACKING,
    ExportFormat("coco", "COCO annotations", (".json",), write_coco),
    ExportFormat("tracks", "Table of tracks", (".csv",), write_tracks, has_tracks=True),
    ExportFormat(
        "geff",
        "GEFF graph of tracks",
        (".geff",),
        write_geff,
        has_tracks=True,
    ),
)
"""All formats; where several suffixes fit a name, the first counts."""


def export_format(path: str | Path, name: str | None = None) -> ExportFormat:
    """Return the format of a name, or the one that the path asks for.

    Parameters
    ----------
    path : str or Path
        Where the labels go.
    name : str, optional
        Of a format.

    Raises
    ------
    OptionError
        If there is no format of that name.
    FormatError
        If the path asks for none.
    """
    place = as_expanded_path(path, "an output", OptionError)
    if name is not None:
        named = [one for one in EXPORT_FORMATS if one.name == name]
        if not named:
            names = ", ".join(one.name for one in EXPORT_FORMATS)
            raise OptionError(f"there is no format {name!r}; choose one of {names}")
        return named[0]
    if is_ome_zarr_labels(place):
        return _OME_ZARR
    typed = place.name.lower()
    for one in EXPORT_FORMATS:
        if typed.endswith(one.suffixes):
            return one
    if typed.endswith("_res"):
        return _CELL_TRACKING
    raise FormatError(
        f"{path} does not say in which format labels are to be written: end the name "
        "with .zarr, .ome.tif, .tif, .json (COCO), .csv (tracks), .geff or _RES (Cell "
        "Tracking Challenge), use IMAGE.zarr/labels/NAME, or choose with --format"
    )
