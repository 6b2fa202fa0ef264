"""Train the slim decoder from nothing, in one go or in several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam_decoder.model.hires_decoder import SLIM, HiresDecoder
from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.training.lessons import Lessons
from napari_sam_decoder.training.loop import Course, Task, train
from napari_sam_decoder.weights.trained_decoders import (
    AboutDecoder,
    TrainedDecoder,
    save_decoder,
)
from shipped_head.curriculum import Curriculum, prepare
from shipped_head.drawings import Drawings
from shipped_head.rating import Rating
from shipped_head.sharpening import Sharpening

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import torch

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.hires_decoder import HiresConfig
    from napari_sam_decoder.model.sam import Sam

    _Subject = tuple[Task, Course, torch.dtype]

__all__ = ["SlimTraining"]


@dataclass(frozen=True)
class SlimTraining:
    """All that the weights of a slim decoder follow from.

    Attributes
    ----------
    curriculum : Curriculum
        What it learns from.
    rating, sharpening : Course
        How long it learns to rate hypotheses, and to sharpen masks.
    drawings : Path, optional
        A folder of drawings on nothing, whose shapes half of the things get.
    config : HiresConfig
        How it is built.
    """

    curriculum: Curriculum = field(default_factory=Curriculum)
    rating: Course = field(
        default_factory=lambda: Course(steps=1500, rate=1e-3, decay=0.1)
    )
    sharpening: Course = field(default_factory=lambda: Course(steps=7500))
    drawings: Path | None = None
    config: HiresConfig = SLIM

    def run(self, sam: Sam, folder: Path, target: Path, progress: Progress) -> None:
        """Train, and write the weights.

        Parameters
        ----------
        sam : Sam
            Frozen; the decoder learns on top of it.
        folder : Path
            Where lessons and states are kept. What is there is not done again.
        target : Path
            The file of the trained decoder.
        progress : Progress
            Shows pictures and steps.

        Raises
        ------
        SamDecoderError
            If the encoder sees nothing early, or what is in the folder is damaged or
            of another training.
        """
        lessons = folder / "lessons"
        pictures = prepare(self.curriculum, lessons, sam, self._read_drawings())
        for _ in progress(pictures, total=self.curriculum.total, what="pictures"):
            pass
        decoder = self._untrained(sam.device)
        for name, (task, course, dtype) in self._tasks(Lessons(lessons), sam).items():
            steps = train(decoder, task, course, folder / name, dtype=dtype)
            for _ in progress(steps, total=course.steps, what=name):
                pass
        about = AboutDecoder(sam.weights, self._trained_on(sam))
        save_decoder(TrainedDecoder(about, decoder), target)

    def _untrained(self, device: torch.device) -> HiresDecoder:
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(self.curriculum.seed)
            decoder = HiresDecoder(self.config).to(device)
        # A step takes two thirds of the time with channels last.
        decoder.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return decoder

    def _tasks(self, lessons: Lessons, sam: Sam) -> dict[str, _Subject]:
        import torch

        tasks: dict[str, _Subject] = {}
        if self.config.iou_head:
            tasks["rating"] = Rating(lessons), self.rating, torch.float32
        dtype = choose_precision("auto", sam.device)
        tasks["sharpening"] = Sharpening(lessons, sam), self.sharpening, dtype
        return tasks

    def _read_drawings(self) -> Sequence[np.ndarray]:
        return () if self.drawings is None else Drawings(self.drawings)

    def _trained_on(self, sam: Sam) -> str:
        drawn = "" if self.drawings is None else f", drawings in {self.drawings.name}"
        return (
            f"generated pictures ({self.curriculum}{drawn}), photographs of "
            f"scikit-image, and what {sam.identity} sees of them"
        )
