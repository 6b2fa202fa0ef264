"""Open napari with the dock, and a demo or a project in it.

The command line starts this as a module in a new process, since it never imports
napari itself: ``python -m napari_sam_decoder.widgets.launch demo FOLDER``, or
``project FILE MOVIE READING``, the last of which says as JSON how the movie is read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np

from napari_sam_decoder.formats import open_labels, open_movie, read_points_table
from napari_sam_decoder.jobs import MovieOptions, whole_movie
from napari_sam_decoder.jobs.demo import DemoFiles
from napari_sam_decoder.widgets.colours import object_colour
from napari_sam_decoder.widgets.dock import SamDecoderDock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import ViewerModel
    from napari.layers import Points

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["main", "open_in_dock", "show_demo", "show_project"]

AXES = ("t", "y", "x")


def show_demo(viewer: ViewerModel, files: DemoFiles) -> None:
    """Add the movie, the labels, the hidden truth and the clicks to a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Usually a `napari.Viewer`.
    files : DemoFiles
        Of a finished demo.
    """
    movie = open_movie(files.movie)
    is_rgb = (movie.axes or "").endswith("C")
    pixels = np.asarray(movie.data[:])
    viewer.add_image(pixels, name="movie", rgb=is_rgb, axis_labels=AXES)
    truth = _all_frames(files.truth)
    viewer.add_labels(truth, name="truth", visible=False)
    viewer.add_labels(_all_frames(files.labels), name="labels")
    _add_clicks(viewer, files.points)
    viewer.dims.set_point(0, 0)
    viewer.dims.axis_labels = AXES


def open_in_dock(bench: Workbench) -> None:
    """Let a dock go on where the demo has stopped.

    Parameters
    ----------
    bench : Workbench
        Of a viewer with the layers of `show_demo`.
    """
    layers = bench.viewer.layers
    bench.choose_movie(layers["movie"])
    bench.choose_labels(layers["labels"])
    clicks: Points = layers["clicks"]
    bench.use_points(clicks)
    # What they give is in the labels; there is nothing to preview.
    bench.controller.state.previews.mark_labelled(bench.controller.prompts)
    layers.selection.active = bench.points_layer


def _all_frames(path: Path) -> np.ndarray:
    labels = open_labels(path)
    return np.stack([labels[frame] for frame in range(labels.shape[0])])


def _add_clicks(viewer: ViewerModel, path: Path) -> None:
    table = read_points_table(path)
    colours = [object_colour(int(object_id)) for object_id in table.object_ids]
    words = ["positive" if is_positive else "negative" for is_positive in table.signs]
    viewer.add_points(
        np.column_stack([table.frames, table.positions]),
        name="clicks",
        features={"label": words, "object_id": table.object_ids},
        face_color=np.array(colours),
        border_color="white",
        size=9,
    )


def show_project(bench: Workbench, path: Path, movie: MovieOptions) -> None:
    """Add the movie of a project to a viewer, and go on with the project.

    Parameters
    ----------
    bench : Workbench
        Of the viewer.
    path : Path
        Of the project.
    movie : MovieOptions
        Its movie.
    """
    whole = whole_movie(movie)
    is_rgb = whole.axes.endswith("C")
    layer = bench.viewer.add_image(whole.data, name=whole.name, rgb=is_rgb)
    bench.choose_movie(layer)
    bench.resume(path)


def main(arguments: Sequence[str]) -> None:
    """Open a window.

    Parameters
    ----------
    arguments : sequence of str
        As described above.
    """
    kind, path, *rest = arguments
    viewer = napari.Viewer(title=f"napari-sam-decoder {kind}")
    if kind == "demo":
        show_demo(viewer, DemoFiles(Path(path)))
    dock = SamDecoderDock(viewer)
    viewer.window.add_dock_widget(dock, name="Segment through a movie")
    if kind == "demo":
        open_in_dock(dock.workbench)
    else:
        movie, reading = rest
        options = MovieOptions(Path(movie), **json.loads(reading))
        show_project(dock.workbench, Path(path), options)
    napari.run()


if __name__ == "__main__":
    main(sys.argv[1:])
