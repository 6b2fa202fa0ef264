"""Labels as COCO: one annotation per object and frame, as run lengths."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.atomic_files import atomic_write
from napari_sam_decoder.errors import wrap_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["run_lengths", "write_coco"]


def write_coco(movie: LabelMovie, path: Path) -> Iterator[int]:
    """Write a JSON file in the form of COCO's object detection.

    Each frame is an image, whose ``file_name`` is that of the movie in the provenance,
    and has its number as ``frame``. Each object on it is an annotation, with its id as
    ``track_id`` and, where it has one, its name.

    Parameters
    ----------
    movie : LabelMovie
        What to write.
    path : Path
        Replaced when all frames are written.

    Yields
    ------
    int
        Each frame, when it is written.

    Raises
    ------
    FormatError
        If the disk cannot be written.
    """
    with (
        wrap_write_errors(path),
        atomic_write(path, f".partial-{os.getpid()}") as partial,
        partial.open("w", encoding="utf-8") as file,
    ):
        head = {
            "info": {"description": path.stem, "provenance": dict(movie.provenance)},
            "categories": [{"id": 1, "name": "object"}],
            "images": [_image(movie, frame) for frame in range(len(movie))],
        }
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        yield from _write_annotations(movie, file)
        file.write("]}\n")


def _write_annotations(movie: LabelMovie, file: IO[str]) -> Iterator[int]:
    numbers = count(1)
    for frame in range(len(movie)):
        for annotation in _annotations(movie, frame):
            number = next(numbers)
            file.write(",\n" if number > 1 else "\n")
            file.write(json.dumps({"id": number, **annotation}))
        yield frame


def _image(movie: LabelMovie, frame: int) -> dict[str, Any]:
    _, height, width = movie.shape
    return {
        "id": frame + 1,
        "file_name": str(movie.provenance.get("movie", "")),
        "frame": frame,
        "height": height,
        "width": width,
    }


def _annotations(movie: LabelMovie, frame: int) -> Iterator[dict[str, Any]]:
    labels = movie.frame(frame)
    # Down the columns, as COCO counts.
    columns, rows = np.nonzero(labels.T)
    ids = labels[rows, columns]
    for object_id in np.unique(ids).tolist():
        is_here = ids == object_id
        own_rows, own_columns = rows[is_here], columns[is_here]
        top, left = int(own_rows.min()), int(own_columns.min())
        height, width = int(own_rows.max()) - top + 1, int(own_columns.max()) - left + 1
        named = {"name": movie.names[object_id]} if object_id in movie.names else {}
        yield {
            "image_id": frame + 1,
            "category_id": 1,
            "track_id": object_id,
            **named,
            "iscrowd": 0,
            "area": int(is_here.sum()),
            "bbox": [left, top, width, height],
            "segmentation": {
                "size": list(labels.shape),
                "counts": run_lengths(
                    own_columns * labels.shape[0] + own_rows, labels.size
                ),
            },
        }


def run_lengths(places: np.ndarray, size: int) -> list[int]:
    """Count the pixels outside and inside of a mask in turn, starting outside.

    Parameters
    ----------
    places : (N,) array of int
        Ascending places of the pixels inside, N >= 1.
    size : int
        Number of all pixels.

    Returns
    -------
    list of int
        Whose sum is ``size``.
    """
    breaks = np.flatnonzero(np.diff(places) > 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    stops = places[np.concatenate([breaks, [places.size - 1]])] + 1
    edges = np.concatenate([[0], np.column_stack([starts, stops]).ravel(), [size]])
    counts: list[int] = np.diff(edges).tolist()
    return counts if counts[-1] else counts[:-1]
