"""Prove that it works: segment a sample movie whose truth is known."""

from __future__ import annotations

import csv
from dataclasses import dataclass
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
    from napari_sam_decoder.jobs.reports import ObjectHistory
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.samples import SampleMovie

__all__ = ["DemoFiles", "DemoReport", "run_demo"]

SHOWN_FRAMES = 8


@dataclass(frozen=True)
class DemoFiles:
    """What the demo leaves behind.

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
        """What was found."""
        return self.folder / "labels.tif"

    @property
    def truth(self) -> Path:
        """What should have been found, with the same ids."""
        return self.folder / "truth.tif"

    @property
    def animation(self) -> Path:
        """Outlines over the movie."""
        return self.folder / "overlay.gif"

    @property
    def report(self) -> Path:
        """Frames with outlines, IoU and confidence over time."""
        return self.folder / "report.png"


@dataclass(frozen=True)
class DemoReport:
    """How well the demo went.

    Attributes
    ----------
    files : DemoFiles
    history : ObjectHistory
    iou : dict of object id to (T,) array
        IoU with the truth on each frame.
    """

    files: DemoFiles
    history: ObjectHistory
    iou: dict[int, np.ndarray]


def run_demo(
    files: DemoFiles, model: Sam, progress: Progress, sample: str = "cells"
) -> DemoReport:
    """Generate a sample movie, segment it from its clicks and compare.

    Parameters
    ----------
    files : DemoFiles
        In a folder that exists; files of an earlier demo are replaced.
    model : Sam
        As `load_sam` gives it.
    progress : Progress
        Shows embedding and propagation.
    sample : str
        A name that `load_sample` knows.

    Returns
    -------
    DemoReport

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
    history = segment_file(job, model, progress)
    labels = tifffile.imread(files.labels)
    iou = iou_over_time(movie.truth, labels, job.prompts.object_ids)
    report = DemoReport(files, history, iou)
    with wrap_write_errors(files.folder):
        _write_pictures(report, movie, labels)
    return report


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
    report: DemoReport, sample: SampleMovie, labels: np.ndarray
) -> None:
    movie = Movie(sample.frames, axes=_axes(sample))
    drawn = [
        figures.draw_outlines(movie.rgb(frame), labels[frame])
        for frame in range(len(movie))
    ]
    figures.save_gif(report.files.animation, drawn)
    shown = np.linspace(0, len(drawn) - 1, SHOWN_FRAMES).astype(int)
    sheet = figures.contact_sheet(
        [drawn[frame] for frame in shown], [f"frame {frame}" for frame in shown]
    )
    confidence = {key: report.history.confidence(key) for key in report.iou}
    charts = [
        figures.Chart("IoU with the truth", report.iou),
        figures.Chart("Confidence (0 where absent)", confidence),
    ]
    width = sheet.shape[1]
    page = [sheet, *(figures.draw_chart(chart, width) for chart in charts)]
    Image.fromarray(figures.stack_vertically(page)).save(report.files.report)
