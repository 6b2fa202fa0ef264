"""Tracks as GEFF, the graph exchange file format, by the library of that name."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.atomic_files import atomic_folder
from napari_sam_decoder.errors import FormatError, MissingExtraError
from napari_sam_decoder.formats.exchange.tracklets import Places, find_tracklets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_sam_decoder.formats.exchange.label_movie import LabelMovie

__all__ = ["write_geff"]


def write_geff(movie: LabelMovie, folder: Path) -> Iterator[int]:
    """Write a graph: a node per object and frame, an edge to where it is next.

    Nodes have ``t``, ``y``, ``x`` (pixels, with the scale as that of the axes),
    ``object_id`` and ``area``. Daughters are joined to their parent.

    Parameters
    ----------
    movie : LabelMovie
        Not a volume.
    folder : Path
        Ends in ``.geff``. Replaced when all is written, if it is such a folder.

    Yields
    ------
    int
        Each frame, when its objects were found.

    Raises
    ------
    MissingExtraError
        If the library is not installed.
    FormatError
        If something else is in the place of the folder, or the disk cannot be written.
    """
    if find_spec("geff") is None:
        raise MissingExtraError(
            "GEFF needs the library geff: pip install 'napari-sam-decoder[geff]'"
        )
    _require_free(folder)
    places = Places()
    yield from places.collect(movie)
    with atomic_folder(folder) as made:
        _write(_graph(movie, places), movie, made)


def _require_free(folder: Path) -> None:
    import zarr

    if not folder.exists():
        return
    is_ours = (
        any((folder / name).is_file() for name in ("zarr.json", ".zgroup"))
        and "geff" in zarr.open_group(folder, mode="r").attrs
    )
    if not is_ours:
        raise FormatError(
            f"{folder} is in the way and is no graph, so it stays; choose another name"
        )


def _graph(movie: LabelMovie, places: Places) -> Any:
    import networkx

    graph = networkx.DiGraph()
    numbers: dict[tuple[int, int], int] = {}
    for object_id, by_frame in places.by_object.items():
        for frame, place in by_frame.items():
            number = numbers[object_id, frame] = len(numbers)
            graph.add_node(
                number,
                t=frame,
                y=place.row,
                x=place.column,
                object_id=object_id,
                area=place.area,
            )
    tracklets = find_tracklets(places.by_object, movie.parents)
    by_number = {one.number: one for one in tracklets}
    for one in tracklets:
        for before, frame in pairwise(one.frames):
            graph.add_edge(
                numbers[one.object_id, before], numbers[one.object_id, frame]
            )
        if one.parent:
            last = by_number[one.parent]
            graph.add_edge(
                numbers[last.object_id, last.frames[-1]],
                numbers[one.object_id, one.frames[0]],
            )
    return graph


def _write(graph: Any, movie: LabelMovie, folder: Path) -> None:
    import geff
    import zarr

    geff.write(
        graph,
        folder,
        axis_names=["t", "y", "x"],
        axis_types=["time", "space", "space"],
        axis_scales=None if movie.scale is None else list(movie.scale),
        scaled_units=[None, *[movie.unit or None] * 2],
        zarr_format=3,
    )
    zarr.open_group(folder, mode="a").attrs["provenance"] = dict(movie.provenance)
