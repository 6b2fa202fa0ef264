"""Label movies in files: written whole or not at all, and read back."""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
import weakref
import zlib
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_sam_decoder.atomic_files import (
    make_partial_folder,
    remove_stale_partials,
    replace_folder,
    restore_interrupted,
)
from napari_sam_decoder.errors import (
    FormatError,
    LabelsError,
    wrap_read_errors,
    wrap_write_errors,
)
from napari_sam_decoder.formats.movie_source import FrameArray, OpenOptions
from napari_sam_decoder.formats.object_ids import as_ids, holds_only_ids, id_dtype
from napari_sam_decoder.formats.provenance_values import require_provenance_values
from napari_sam_decoder.formats.readers import open_with_options
from napari_sam_decoder.formats.zarr_reader import ZarrFrames, is_zarr
from napari_sam_decoder.validation import as_expanded_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    import zarr

__all__ = [
    "LabelSink",
    "SinkCut",
    "is_tiff",
    "open_labels",
    "read_all_labels",
    "read_provenance",
    "require_suffix",
    "require_target",
]

TIFF_SUFFIXES = (".tif", ".tiff")


def is_tiff(path: Path) -> bool:
    """Whether the name is that of a TIFF file."""
    return path.suffix.lower() in TIFF_SUFFIXES


def require_suffix(path: Path) -> None:
    """Reject names of formats other than zarr and TIFF.

    Raises
    ------
    FormatError
        If the suffix is another one.
    """
    if not is_tiff(path) and path.suffix.lower() != ".zarr":
        raise FormatError(
            f"labels cannot be written to {path.name}; use a name that ends in .zarr, "
            ".tif or .tiff"
        )


def require_target(path: Path) -> None:
    """Reject a target that cannot be created or would destroy something else.

    Raises
    ------
    FormatError
        If the suffix is unknown, the parent folder is missing, or something is there
        that is neither a TIFF file nor a single zarr array, such as a group of images.
    """
    require_suffix(path)
    with wrap_write_errors(path):
        has_folder, is_free = path.parent.is_dir(), _is_free(path)
    if not has_folder:
        raise FormatError(
            f"there is no folder {path.parent} for {path.name}; create it first"
        )
    if not is_free:
        raise FormatError(
            f"{path} is in the way and is not a labels file, so it stays; move it or "
            "choose another name"
        )


def _is_free(path: Path) -> bool:
    """Whether the path is free, or holds something that may be replaced."""
    if is_tiff(path):
        return not path.is_dir()
    return _is_array(path) or not path.exists()


def _is_array(path: Path) -> bool:
    """Whether a folder is a single zarr array; groups may hold images and more."""
    if (path / ".zarray").is_file():
        return True
    if not (path / "zarr.json").is_file():
        return False
    try:
        description = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(description, dict) and description.get("node_type") == "array"


_LOG = logging.getLogger(__name__)

# Classic TIFF has 32-bit offsets; some bytes are reserved for the page tables.
CLASSIC_TIFF_BYTES = 2**32 - 2**25


class LabelSink:
    """Writes labels to a file, frame by frame in any order.

    The frames go to a hidden folder beside the target, one file each, so that at most
    one is in memory. `finish` moves the result into place. Leaving the context without
    it, or dropping the sink, leaves the target unchanged.

    Parameters
    ----------
    path : str or Path
        Ends in ``.zarr``, ``.tif`` or ``.tiff``. An existing file is replaced, but
        only by `finish`.
    shape : tuple of int
        (T, Y, X), or with more axes before the rows. Their frames are counted in C
        order; `at` counts those of one position.
    dtype : dtype
        Integer type that holds every label.
    axes : str
        A letter for each axis, such as "TYX", "ZYX" or "TZYX"; stored in the file.
    attributes : mapping, optional
        More attributes of a zarr array, as JSON knows them; not for TIFF.

    Raises
    ------
    FormatError
        If the suffix is unknown, the folder is missing or cannot be written, or the
        target must not be replaced.

    Examples
    --------
    >>> with LabelSink("labels.zarr", (9, 48, 64), "uint16") as sink:  # doctest: +SKIP
    ...     sink.write(3, labels)
    ...     sink.finish({"model": "mobile_sam"})
    """

    def __init__(
        self,
        path: str | Path,
        shape: tuple[int, ...],
        dtype: Any,
        axes: str = "TYX",
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = as_expanded_path(path, "an output", FormatError).absolute()
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.axes = axes
        self._attributes = {**(attributes or {}), "axes": axes}
        require_target(self.path)
        remove_stale_partials(self.path)
        self._partial = make_partial_folder(self.path)
        # Also runs when a generator that holds the sink is dropped, and at exit.
        self._discard = weakref.finalize(
            self, shutil.rmtree, self._partial, ignore_errors=True
        )
        self._array = self._create()
        self._written: set[int] = set()

    def __repr__(self) -> str:
        what = f"{self.axes} {self.shape}, {self.dtype}"
        return f"LabelSink('{self.path}', {what}, {len(self._written)} frames written)"

    def __len__(self) -> int:
        return math.prod(self.shape[:-2])

    def at(self, position: Mapping[str, int]) -> SinkCut:
        """Return the frames at a position along some axes, by their letters."""
        return SinkCut(self, position)

    def __getitem__(self, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame so far; 0 where nothing was written."""
        return self._read(frame) if frame in self._written else self._empty_frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def write(self, frame: int, labels: np.ndarray) -> None:
        """Write a frame, replacing what was written there before.

        Parameters
        ----------
        frame : int
            0 <= frame < T.
        labels : (Y, X) array of int
            Of any dtype, with values that fit the dtype of the file.

        Raises
        ------
        LabelsError
            If the frame does not exist, or the labels do not fit.
        FormatError
            If the disk cannot be written, or the sink is closed.
        """
        self._require_open()
        self._require_fit(frame, labels)
        with wrap_write_errors(self.path):
            self._array[self._place(frame)] = labels.astype(self.dtype, copy=False)
        self._written.add(frame)

    def finish(self, provenance: Mapping[str, Any]) -> None:
        """Move the file into place; frames that were not written are zero.

        Parameters
        ----------
        provenance : mapping
            How the labels were made, as `read_provenance` returns it. Numbers, text,
            lists and mappings.

        Raises
        ------
        FormatError
            If the provenance is not valid JSON, the disk cannot be written, or the sink
            is closed. The target is then unchanged.
        """
        self._require_open()
        plain = _plain(provenance, self.path)
        require_target(self.path)
        with wrap_write_errors(self.path):
            if is_tiff(self.path):
                pages = self._partial / "labels.tif"
                self._write_tiff(pages, plain)
                os.replace(pages, self.path)
            else:
                self._array.attrs["provenance"] = plain
                replace_folder(self._partial / "labels", self.path)
        self._discard()
        _LOG.info("wrote %s", self.path)

    def _create(self) -> zarr.Array:
        import zarr
        from zarr.codecs import ZstdCodec

        try:
            with wrap_write_errors(self.path):
                return zarr.create_array(
                    self._partial / "labels",
                    shape=self.shape,
                    chunks=(*(1,) * (len(self.shape) - 2), *self.shape[-2:]),
                    dtype=self.dtype,
                    compressors=ZstdCodec(level=3),
                    fill_value=0,
                    # One file per frame in a single folder.
                    chunk_key_encoding={"name": "default", "separator": "."},
                    attributes=self._attributes,
                )
        except BaseException:
            self._discard()
            raise

    def _write_tiff(self, path: Path, provenance: dict[str, Any]) -> None:
        import tifffile

        raw_bytes = int(np.prod(self.shape)) * self.dtype.itemsize
        # From an iterator, tifffile mistakes columns of width 1 for samples.
        is_thin = self.shape[-1] == 1
        tifffile.imwrite(
            path,
            self._stacked() if is_thin else self._compressed_frames(),
            shape=self.shape,
            dtype=self.dtype,
            bigtiff=raw_bytes > CLASSIC_TIFF_BYTES,
            # Else three frames would count as red, green and blue.
            photometric="minisblack",
            compression="zlib",
            rowsperstrip=self.shape[-2],
            metadata={"axes": self.axes, "provenance": provenance},
        )

    def _compressed_frames(self) -> Iterator[bytes]:
        """Compress frame by frame; empty ones, of which most movies consist, once."""
        empty = zlib.compress(self._empty_frame.tobytes())
        for frame in range(len(self)):
            is_written = frame in self._written
            yield zlib.compress(self._read(frame).tobytes()) if is_written else empty

    def _stacked(self) -> np.ndarray:
        # Looking for a missing chunk takes as long as reading one.
        frames = [self[frame] for frame in range(len(self))]
        return np.stack(frames).reshape(self.shape)

    def _read(self, frame: int) -> np.ndarray:
        return np.asarray(self._array[self._place(frame)])

    def _place(self, frame: int) -> tuple[int, ...]:
        """Index of a frame along the axes before the rows."""
        return tuple(map(int, np.unravel_index(frame, self.shape[:-2])))

    @property
    def _empty_frame(self) -> np.ndarray:
        return np.zeros(self.shape[-2:], self.dtype)

    def _require_open(self) -> None:
        if not self._discard.alive:
            raise FormatError(
                f"the labels for {self.path} are finished or discarded; write to a new "
                "LabelSink"
            )

    def _require_fit(self, frame: int, labels: np.ndarray) -> None:
        if not 0 <= frame < len(self):
            raise LabelsError(
                f"there is no frame {frame} in {self.path.name}: it has frames 0 to "
                f"{len(self) - 1}"
            )
        if labels.shape != self.shape[-2:]:
            raise LabelsError(
                f"labels of shape {labels.shape} do not fit the frames of "
                f"{self.path.name}, which have shape {self.shape[-2:]}"
            )
        if not np.can_cast(labels.dtype, self.dtype) and not self._holds(labels):
            raise LabelsError(
                f"labels from {labels.min()} to {labels.max()} do not fit {self.dtype},"
                f" the type of {self.path.name}; open it with a larger type"
            )

    def _holds(self, labels: np.ndarray) -> bool:
        return bool((labels.astype(self.dtype) == labels).all())


class SinkCut:
    """The frames of a sink at a position: written and read as if there were no others.

    Made by `LabelSink.at`.

    Parameters
    ----------
    sink : LabelSink
        Labels of more axes.
    position : mapping of str to int
        Along all axes before the rows but one, by letter; or along all, for one frame.
    """

    def __init__(self, sink: LabelSink, position: Mapping[str, int]) -> None:
        numbers = np.arange(len(sink)).reshape(sink.shape[:-2])
        index = tuple(position.get(letter, slice(None)) for letter in sink.axes[:-2])
        self._sink = sink
        self._numbers = np.atleast_1d(numbers[index])
        self.shape = (*self._numbers.shape, *sink.shape[-2:])
        self.dtype = sink.dtype

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, frame: int) -> np.ndarray:
        """(Y, X) labels of a frame so far."""
        return self._sink[int(self._numbers[frame])]

    def write(self, frame: int, labels: np.ndarray) -> None:
        """Write a frame, as `LabelSink.write` does."""
        self._sink.write(int(self._numbers[frame]), labels)


def _plain(provenance: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Reduce to JSON, so that both formats return the same."""
    try:
        text = json.dumps(provenance, default=_as_list, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"the provenance of {path} is not valid JSON ({error}); use finite "
            "numbers, text, lists and mappings"
        ) from error
    plain: dict[str, Any] = json.loads(text)
    return plain


def _as_list(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def open_labels(
    path: str | Path,
    shape: tuple[int, int, int] | None = None,
    at: Mapping[str, int] | None = None,
) -> Any:
    """Open labels in a file, whose frames are read one at a time.

    Parameters
    ----------
    path : str or Path
        Written by `LabelSink`, or anything else that `open_movie` reads and that holds
        whole numbers, as integers or floats. The entries of a palette are ids.
    shape : (int, int, int), optional
        Expected (T, Y, X), that of the movie.
    at : mapping of str to int, optional
        The position along the other axes of labels that have more, as in `open_movie`.

    Returns
    -------
    (T, Y, X) array-like of int
        With ``shape``, ``dtype``, ``len`` and indexing. The type is unsigned, and as
        small as that of the file, but has 32 bits at most.

    Raises
    ------
    FormatError
        If it cannot be read or does not hold labels.
    LabelsError
        If they do not fit the movie, or have values that are no object ids.
    """
    restore_interrupted(as_expanded_path(path, "labels", FormatError))
    labels = _open(path, at)
    if shape is not None and tuple(labels.shape) != shape:
        raise LabelsError(
            f"{path} holds labels of shape {tuple(labels.shape)}, but this movie needs "
            f"{shape}; choose the labels of this movie"
        )
    return labels


def read_all_labels(path: str | Path) -> np.ndarray:
    """Read labels in a zarr array that `LabelSink` has written, with all of their axes.

    Raises
    ------
    FormatError
        If they cannot be read.
    """
    import zarr

    place = as_expanded_path(path, "labels", FormatError)
    restore_interrupted(place)
    with wrap_read_errors(place):
        return ZarrFrames(zarr.open_array(place, mode="r"), place)[...]


def _open(path: str | Path, at: Mapping[str, int] | None) -> FrameArray:
    source = open_with_options(path, OpenOptions(are_ids=True, at=at))
    data, stored = source.data, np.dtype(source.data.dtype)
    is_grey = len(data.shape) in (2, 3) and "C" not in (source.axes or "")
    if not is_grey or stored.kind not in "buif":
        raise FormatError(
            f"{path} holds {stored} of shape {tuple(data.shape)}, which are not "
            "labels; these are whole numbers of shape (T, Y, X), without colours"
        )
    is_picture = len(data.shape) == 2

    def read(frame: int) -> np.ndarray:
        return as_ids(np.asarray(data[...] if is_picture else data[frame]), path)

    shape = (1, *data.shape) if is_picture else tuple(data.shape)
    labels = FrameArray(shape, id_dtype(stored), read)
    if not holds_only_ids(stored):
        # Fail now rather than after long work.
        for frame in range(len(labels)):
            labels[frame]
    return labels


def read_provenance(path: str | Path) -> dict[str, Any]:
    """Return the provenance that `LabelSink.finish` stored with the labels.

    Returns
    -------
    dict
        Empty if the labels were made by something else.

    Raises
    ------
    FormatError
        If the file cannot be read or is of another format, or the provenance is
        damaged.
    """
    place = as_expanded_path(path, "labels", FormatError)
    if not is_zarr(place):
        require_suffix(place)
    restore_interrupted(place)
    with wrap_read_errors(place):
        provenance = (
            _tiff_provenance(place) if is_tiff(place) else _zarr_provenance(place)
        )
    if not isinstance(provenance, dict):
        return {}
    require_provenance_values(provenance, place)
    return provenance


def _tiff_provenance(path: Path) -> Any:
    from tifffile import TiffFile

    with TiffFile(path) as tiff:
        if tiff.is_ome:
            return _described_provenance(tiff.ome_metadata)
        if tiff.is_imagej:
            return _parsed((tiff.imagej_metadata or {}).get("Info"))
        descriptions = tiff.shaped_metadata or ({},)
    return descriptions[0].get("provenance")


def _described_provenance(xml: Any) -> Any:
    """Read the provenance from the description of the first image of an OME-TIFF."""
    from tifffile import xml2dict

    try:
        images = xml2dict(xml)["OME"]["Image"]
        first = images[0] if isinstance(images, list) else images
        return _parsed(first.get("Description"))
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError):
        return None


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text)
    # Another program has written something else there.
    except (TypeError, ValueError):
        return None


def _zarr_provenance(path: Path) -> Any:
    import zarr

    return zarr.open(path, mode="r").attrs.get("provenance")
