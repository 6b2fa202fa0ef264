"""Labels inside the OME-Zarr image that they belong to: all levels, the same places."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.atomic_files import atomic_folder
from napari_sam_decoder.axes import axis_letter
from napari_sam_decoder.errors import (
    FormatError,
    LabelsError,
    first_line,
    wrap_read_errors,
    wrap_write_errors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from yaozarrs import v05

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["is_ome_zarr_labels", "write_ome_zarr"]

LABELS = "labels"
LARGEST_CHUNK = 1024
"""Pixels of a chunk in Y and X, of one frame each."""


def is_ome_zarr_labels(path: Path) -> bool:
    """Whether a path is that of labels in an OME-Zarr image: ``IMAGE/labels/NAME``.

    There need not be such an image, if the name is that of one.
    """
    image = path.parent.parent
    is_image = image.suffix.lower() == ".zarr" or (image / "zarr.json").is_file()
    return path.parent.name == LABELS and is_image


def write_ome_zarr(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write labels into an OME-Zarr image of version 0.5.

    They get all axes of the image but that of the channels, its levels and its
    transformations, ``image-label`` metadata with names and parents, and the
    provenance.

    Parameters
    ----------
    movie : LabelMovie
        As large as the image.
    path : Path
        ``IMAGE/labels/NAME``. Labels of that name are replaced when all is written.

    Yields
    ------
    int
        Each frame, when it is written.

    Raises
    ------
    FormatError
        If there is no such image, or the disk cannot be written.
    LabelsError
        If the labels do not fit the image.
    """
    from yaozarrs.write.v05 import prepare_image

    if path.parent.name != LABELS:
        raise FormatError(
            f"{path} is not the path of labels in an OME-Zarr image; write them to "
            "IMAGE.zarr/labels/NAME"
        )
    levels = _read_image(path.parent.parent).levels(movie)
    label_image = _label_image(movie, levels)
    with wrap_write_errors(path):
        path.parent.mkdir(exist_ok=True)
    with atomic_folder(path) as made:
        _, arrays = prepare_image(
            made,
            label_image,
            [(level.shape, movie.dtype) for level in levels],
            extra_attributes={"provenance": dict(movie.provenance)},
            chunks=_chunks(levels[0]),
            compression="zstd",
            writer="zarr",
        )
        _describe_objects(movie, made)
        for frame in range(len(movie)):
            plane = movie.frame(frame)
            for level in levels:
                level.write(arrays[level.path], frame, plane)
            yield frame
    with wrap_write_errors(path):
        _enlist(path)


@dataclass(frozen=True)
class _Level:
    """One resolution of the labels.

    Attributes
    ----------
    path : str
        Of the array in its image.
    axes : tuple of yaozarrs axes
        Without channels.
    shape : tuple of int
        Along these.
    letters : str
        Of these.
    first : {"T", "Z"}
        The axis of the frames.
    frames : dict of frame to index
        Which frames of the movie there are, and where along its first axis.
    rows, columns : array of int
        The pixels of the movie that this level has.
    transformations : tuple of dict
    """

    path: str
    axes: tuple[Any, ...]
    shape: tuple[int, ...]
    letters: str
    first: str
    frames: dict[int, int]
    rows: np.ndarray
    columns: np.ndarray
    transformations: tuple[dict[str, Any], ...]

    def write(self, array: Any, frame: int, plane: np.ndarray) -> None:
        """Write a (Y, X) frame of the movie, if this level has it."""
        if frame not in self.frames:
            return
        place = {
            "Y": slice(None),
            "X": slice(None),
            self.first: self.frames[frame],
        }
        part = plane[self.rows[:, None], self.columns]
        # Empty chunks are not stored.
        if part.any():
            array[tuple(place.get(letter, 0) for letter in self.letters)] = part


@dataclass(frozen=True)
class _Image:
    """An OME-Zarr image.

    Attributes
    ----------
    path : Path
    multiscale : yaozarrs multiscale
    shapes : tuple of tuple of int
        Of its levels.
    """

    path: Path
    multiscale: v05.Multiscale
    shapes: tuple[tuple[int, ...], ...]

    def levels(self, movie: LabelMovie) -> list[_Level]:
        """Return the levels that labels of this image have."""
        letters = [_letter(axis) for axis in self.multiscale.axes]
        kept = [axis for axis, letter in enumerate(letters) if letter != "C"]
        spelled = "".join(letters[axis] for axis in kept)
        shape = tuple(self.shapes[0][axis] for axis in kept)
        self._require_fit(movie, spelled, shape)
        levels = []
        for dataset, whole in zip(self.multiscale.datasets, self.shapes, strict=True):
            size = tuple(whole[axis] for axis in kept)
            by_letter = dict(zip(spelled, size, strict=True))
            frames = _sampled(len(movie), by_letter.get(movie.axes[0], 1))
            levels.append(
                _Level(
                    dataset.path,
                    tuple(self.multiscale.axes[axis] for axis in kept),
                    size,
                    spelled,
                    movie.axes[0],
                    {int(frame): place for place, frame in enumerate(frames)},
                    _sampled(movie.shape[1], by_letter["Y"]),
                    _sampled(movie.shape[2], by_letter["X"]),
                    tuple(
                        _without_channels(one.model_dump(mode="json"), kept)
                        for one in dataset.coordinateTransformations
                    ),
                )
            )
        return levels

    def _require_fit(
        self, movie: LabelMovie, letters: str, shape: Sequence[int]
    ) -> None:
        lengths = {
            letter: length
            for letter, length in zip(letters, shape, strict=True)
            if length > 1 or letter in "YX"
        }
        wanted = {
            letter: length
            for letter, length in zip(movie.axes, movie.shape, strict=True)
            if length > 1 or letter in "YX"
        }
        if lengths != wanted:
            raise LabelsError(
                f"labels of {movie.axes} {movie.shape} do not fit {self.path}, which "
                f"has {letters} {tuple(shape)} without its channels; give the image "
                "that they were made from"
            )


def _read_image(path: Path) -> _Image:
    """Read the metadata of an image, and the shapes of its levels.

    Raises
    ------
    FormatError
        If it is not an image of OME-Zarr 0.5.
    """
    import zarr
    from yaozarrs import v05

    if not (path / "zarr.json").is_file():
        raise FormatError(
            f"there is no image {path} of OME-Zarr 0.5 for labels; check the path, or "
            "write them to a file of their own, as in labels.zarr"
        )
    with wrap_read_errors(path):
        group: Any = zarr.open_group(path, mode="r")
        try:
            image = v05.Image.model_validate(group.attrs.asdict()["ome"])
        except (KeyError, ValueError) as error:
            raise FormatError(
                f"{path} is no image of OME-Zarr 0.5 ({first_line(error)}), so labels "
                "cannot be kept in it; write them to a file of their own, as in "
                "labels.zarr"
            ) from error
        multiscale = image.multiscales[0]
        shapes = [group[one.path].shape for one in multiscale.datasets]
        return _Image(path, multiscale, tuple(shapes))


def _letter(axis: Any) -> str:
    by_type = {"time": "T", "channel": "C"}.get(str(axis.type))
    return by_type or axis_letter(axis.name) or axis.name.upper()


def _sampled(length: int, wanted: int) -> np.ndarray:
    """Return the nearest of so many pixels to the middles of fewer."""
    places = (np.arange(wanted) + 0.5) * length / wanted
    sampled: np.ndarray = np.minimum(places.astype(np.intp), length - 1)
    return sampled


def _without_channels(noted: dict[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    return {
        key: [value[axis] for axis in kept] if isinstance(value, list) else value
        for key, value in noted.items()
    }


def _chunks(level: _Level) -> tuple[int, ...]:
    return tuple(
        min(length, LARGEST_CHUNK) if letter in "YX" else 1
        for letter, length in zip(level.letters, level.shape, strict=True)
    )


def _label_image(movie: LabelMovie, levels: Sequence[_Level]) -> v05.LabelImage:
    from yaozarrs import v05

    noted = {
        "version": "0.5",
        "multiscales": [
            {
                "name": LABELS,
                "axes": [
                    axis.model_dump(mode="json", exclude_none=True)
                    for axis in levels[0].axes
                ],
                "datasets": [
                    {
                        "path": level.path,
                        "coordinateTransformations": list(level.transformations),
                    }
                    for level in levels
                ],
            }
        ],
        "image-label": {"source": {"image": "../../"}},
    }
    return v05.LabelImage.model_validate(noted)


def _describe_objects(movie: LabelMovie, path: Path) -> None:
    """Write names and parents, of which the models keep nothing but the ids."""
    import zarr

    described: dict[int, dict[str, Any]] = {
        object_id: {"name": name} for object_id, name in movie.names.items()
    }
    for object_id, parent in movie.parents.items():
        described[object_id] = {**described.get(object_id, {}), "parent": parent}
    if not described:
        return
    group = zarr.open_group(path, mode="a")
    noted: Any = group.attrs["ome"]
    noted["image-label"]["properties"] = [
        {"label-value": object_id, **described[object_id]}
        for object_id in sorted(described)
    ]
    group.attrs["ome"] = noted


def _enlist(path: Path) -> None:
    """Name labels in the group that they are in.

    An image whose metadata are consolidated would hide them otherwise.
    """
    import zarr
    from yaozarrs import v05

    group = zarr.open_group(path.parent, mode="a", use_consolidated=False)
    noted: Any = group.attrs.asdict().get("ome", {})
    known = noted.get(LABELS, [])
    names = list(dict.fromkeys([*known, path.name]))
    listed = v05.LabelsGroup(labels=names)
    group.attrs["ome"] = listed.model_dump(mode="json", exclude_none=True)
    image = path.parent.parent
    if "consolidated_metadata" in json.loads((image / "zarr.json").read_text("utf-8")):
        with warnings.catch_warnings():
            # That no standard knows it; whoever made the image has decided that.
            warnings.simplefilter("ignore", UserWarning)
            zarr.consolidate_metadata(image)
