"""Segment objects in a napari window from a script, and save what came of it.

    python examples/scripted_session.py [--frames N] [--out FOLDER] [--show]
    python examples/scripted_session.py MOVIE --click ROW COLUMN [--click ROW COLUMN]

Without MOVIE, two of the generated cells are segmented, whose truth is known. Each
click starts an object on the first frame. FOLDER gets the labels, the points, and the
project, with which a person can go on: drop it on napari.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np

from napari_sam_decoder import load_sample
from napari_sam_decoder.metrics import iou_over_time

if TYPE_CHECKING:
    from napari_sam_decoder.samples import SampleMovie
    from napari_sam_decoder.widgets.workbench import Workbench

POOR_IOU = 0.7


def main() -> None:
    """Run the session; the exit status is 1 if an object was not found."""
    options = read_options()
    viewer = napari.Viewer()
    sample = None if options.movie else load_sample("cells")
    if sample is None:
        (movie,) = viewer.open(options.movie, layer_type="image")
        clicks = options.click
    else:
        movie = viewer.add_image(sample.frames, name=sample.name)
        clicks = [click.position for click in sample.clicks[:2]]

    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-sam-decoder", "Segment through a movie"
    )
    bench = dock.workbench
    bench.choose_movie(movie)
    viewer.dims.set_point(range(movie.ndim - 2), [0] * (movie.ndim - 2))
    for click in clicks:
        add_object(bench, [*[0] * (movie.ndim - 2), *click], options.hypothesis)
    bench.propagate("both", frames=range(min(options.frames, len(bench.movie))))
    bench.wait()

    save(bench, options.out)
    lost = report(np.asarray(bench.labels.data), len(clicks), sample, options.frames)
    if options.show:
        napari.run()
    else:
        viewer.close()
    sys.exit(1 if lost else 0)


def add_object(bench: Workbench, place: list[float], hypothesis: int | None) -> None:
    """Click an object, and pick one of its masks if asked to."""
    added = bench.new_object()
    # One layer holds the points of all objects.
    bench.add_points(place, added.object_id, hypothesis=hypothesis)
    bench.wait()


def save(bench: Workbench, folder: Path) -> None:
    """Save labels, points and project; all of it is in the project already."""
    folder.mkdir(parents=True, exist_ok=True)
    bench.labels.save(str(folder / "labels.tif"))
    bench.points_layer.save(str(folder / "points.csv"))
    bench.save_project_as(folder / "session.samproject", overwrite=True)


def report(
    labels: np.ndarray, objects: int, sample: SampleMovie | None, frames: int
) -> list[int]:
    """Print how each object fared and return the ids of those that were not found."""
    if sample is None:
        areas = [np.count_nonzero(labels == n + 1) for n in range(objects)]
        print("pixels of each object:", *areas)
        return [number for number, area in enumerate(areas, start=1) if area == 0]
    ids = range(1, objects + 1)
    scores = iou_over_time(sample.truth[:frames], labels[:frames], ids)
    for number, iou in scores.items():
        print(
            f"object {number}: IoU {iou.mean():.3f} on average, {iou.min():.3f} worst"
        )
    return [number for number, iou in scores.items() if iou.min() < POOR_IOU]


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("movie", nargs="?", help="a file that napari can open")
    parser.add_argument(
        "--click", nargs=2, type=float, action="append", metavar=("ROW", "COLUMN")
    )
    parser.add_argument("--hypothesis", type=int, choices=[1, 2, 3])
    parser.add_argument("--frames", type=int, default=12, help="how many to label")
    parser.add_argument("--out", type=Path, default=Path("scripted_session"))
    parser.add_argument("--show", action="store_true", help="keep the window open")
    options = parser.parse_args()
    if bool(options.movie) != bool(options.click):
        parser.error("a movie of your own and its clicks go together")
    return options


if __name__ == "__main__":
    main()
