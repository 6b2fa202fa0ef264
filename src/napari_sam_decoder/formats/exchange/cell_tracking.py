"""Labels as a result folder of the Cell Tracking Challenge, with the lineage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.atomic_files import atomic_folder
from napari_sam_decoder.errors import FormatError, LabelsError
from napari_sam_decoder.formats.exchange.tracklets import Places, find_tracklets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie
    from napari_sam_decoder.formats.exchange.tracklets import Tracklet

__all__ = ["write_cell_tracking"]

TRACKS = "res_track.txt"
MASK_DTYPE = np.dtype(np.uint16)
"""The challenge knows no other."""


def write_cell_tracking(movie: LabelMovie, folder: Path) -> Iterator[int]:
    """Write ``mask000.tif`` and so on, and ``res_track.txt``.

    A tracklet of the challenge has no gap: what comes after a gap or a division is a
    tracklet of its own, which names the one before as its parent.

    Parameters
    ----------
    movie : LabelMovie
        Not a volume.
    folder : Path
        Replaced when all is written, if it is such a folder.

    Yields
    ------
    int
        Each frame twice: when its objects were found, and when it is written.

    Raises
    ------
    FormatError
        If something else is in the place of the folder, or the disk cannot be written.
    LabelsError
        If it has too many tracklets.
    """
    import tifffile

    _require_free(folder)
    places = Places()
    yield from places.collect(movie)
    tracklets = find_tracklets(places.by_object, movie.parents)
    _require_few(tracklets)
    digits = max(3, len(str(len(movie) - 1)))
    with atomic_folder(folder) as made:
        made.mkdir()
        for frame in range(len(movie)):
            masks = _masks(movie.frame(frame), frame, tracklets)
            path = made / f"mask{frame:0{digits}}.tif"
            tifffile.imwrite(path, masks, compression="zlib")
            yield frame
        (made / TRACKS).write_text(_table(tracklets), encoding="ascii")
        noted = json.dumps(dict(movie.provenance))
        (made / "provenance.json").write_text(noted, encoding="utf-8")


def _require_free(folder: Path) -> None:
    is_ours = (folder / TRACKS).is_file()
    if folder.exists() and not is_ours and not _is_empty(folder):
        raise FormatError(
            f"{folder} is in the way and has no {TRACKS}, so it stays; choose another "
            "name, as in 01_RES"
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _require_few(tracklets: Sequence[Tracklet]) -> None:
    highest = max((one.number for one in tracklets), default=0)
    if highest > np.iinfo(MASK_DTYPE).max:
        raise LabelsError(
            f"the Cell Tracking Challenge knows numbers up to "
            f"{np.iinfo(MASK_DTYPE).max}, but {highest} is needed; give the objects "
            "smaller ids"
        )


def _masks(labels: np.ndarray, frame: int, tracklets: Sequence[Tracklet]) -> np.ndarray:
    here = {one.object_id: one.number for one in tracklets if frame in one.frames}
    ids, inverse = np.unique(labels, return_inverse=True)
    numbers = np.array([here.get(int(one), 0) for one in ids], MASK_DTYPE)
    masks: np.ndarray = numbers[inverse].reshape(labels.shape)
    return masks


def _table(tracklets: Sequence[Tracklet]) -> str:
    return "".join(
        f"{one.number} {one.frames.start} {one.frames.stop - 1} {one.parent}\n"
        for one in tracklets
    )
