"""Show that it works: segment a sample movie with known truth."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from PIL import Image

from napari_sam_decoder.errors import wrap_write_errors
from napari_sam_decoder.formats import figures
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.jobs.inputs import MovieOptions
from napari_sam_decoder.jobs.segment import SegmentJob, segment_file
from napari_sam_decoder.metrics import iou_over_time
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.samples import load_sample

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.jobs.reports import Report
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.samples import SampleMovie

__all__ = ["DemoFiles", "DemoResult", "run_demo"]

SHOWN_FRAMES = 8


@dataclass(frozen=True)
class DemoFiles:
    """The files that the demo writes.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def movie(self) -> Path:
        """The generated movie."""
        return self.folder / "movie.tif"

    @property
    def points(self) -> Path:
        """The clicks, as napari saves a Points layer."""
        return self.folder / "points.csv"

    @property
    def labels(self) -> Path:
        """The labels that were found."""
        return self.folder / "labels.tif"

    @property
    def truth(self) -> Path:
        """The true labels, with the same ids."""
        return self.folder / "truth.tif"

    @property
    def animation(self) -> Path:
        """The movie with outlines."""
        return self.folder / "overlay.gif"

    @property
    def report(self) -> Path:
        """Frames with outlines, and IoU and confidence over time."""
        return self.folder / "report.png"


@dataclass(frozen=True)
class DemoResult:
    """How well the demo went.

    Attributes
    ----------
    files : DemoFiles
    report : Report
    iou : dict of object id to (T,) array
        IoU with the truth on each frame.
    """

    files: DemoFiles
    report: Report
    iou: dict[int, np.ndarray] = field(repr=False)


def run_demo(
    files: DemoFiles, model: Sam, progress: Progress, sample: str = "cells"
) -> DemoResult:
    """Generate a sample movie, segment it from its clicks and compare with the truth.

    Parameters
    ----------
    files : DemoFiles
        In an existing folder. Files of an earlier demo are replaced.
    model : Sam
        From `load_sam`.
    progress : Progress
        Gets the steps of embedding and propagation.
    sample : str
        A name for `load_sample`.

    Returns
    -------
    DemoResult

    Raises
    ------
    SamDecoderError
        If there is no such sample, or the folder cannot be written.
    """
    movie = load_sample(sample)
    with wrap_write_errors(files.folder):
        _write_inputs(files, movie)
    job = SegmentJob(
        movie=MovieOptions(files.movie, axes=_axes(movie)),
        prompts=_prompts(movie),
        output=files.labels,
        replace=True,
    )
    report = segment_file(job, model, progress)
    labels = tifffile.imread(files.labels)
    iou = iou_over_time(movie.truth, labels, job.prompts.object_ids)
    result = DemoResult(files, report, iou)
    with wrap_write_errors(files.folder):
        _write_pictures(result, movie, labels)
    return result


def _axes(sample: SampleMovie) -> str:
    return "TYX" if sample.frames.ndim == 3 else "TYXC"


def _prompts(sample: SampleMovie) -> PromptSet:
    return PromptSet(
        Prompt(click.object_id, click.frame, [click.position])
        for click in sample.clicks
    )


def _write_inputs(files: DemoFiles, sample: SampleMovie) -> None:
    photometric = "minisblack" if sample.frames.ndim == 3 else "rgb"
    axes = _axes(sample).replace("C", "S")
    _write_stack(files.movie, sample.frames, axes, photometric)
    _write_stack(files.truth, sample.truth, "TYX", "minisblack")
    with files.points.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["index", "axis-0", "axis-1", "axis-2", "label", "object_id"])
        for index, click in enumerate(sample.clicks):
            where = (float(click.frame), *click.position)
            writer.writerow([index, *where, "positive", click.object_id])


def _write_stack(path: Path, stack: np.ndarray, axes: str, photometric: str) -> None:
    tifffile.imwrite(
        path,
        stack,
        photometric=photometric,
        metadata={"axes": axes},
        compression="zlib",
    )


def _write_pictures(
    result: DemoResult, sample: SampleMovie, labels: np.ndarray
) -> None:
    movie = Movie(sample.frames, axes=_axes(sample))
    drawn = [
        figures.draw_outlines(movie.rgb(frame), labels[frame])
        for frame in range(len(movie))
    ]
    figures.save_gif(result.files.animation, drawn)
    shown = np.linspace(0, len(drawn) - 1, SHOWN_FRAMES).astype(int)
    sheet = figures.contact_sheet(
        [drawn[frame] for frame in shown], [f"frame {frame}" for frame in shown]
    )
    confidence = {key: result.report.confidence(key) for key in result.iou}
    charts = [
        figures.Chart("IoU with the truth", result.iou),
        figures.Chart("Confidence (0 where absent)", confidence),
    ]
    width = sheet.shape[1]
    page = [sheet, *(figures.draw_chart(chart, width) for chart in charts)]
    Image.fromarray(figures.stack_vertically(page)).save(result.files.report)
