"""The whole training of the shipped head, which can be interrupted and resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam_decoder.model.heads import HiresConfig, HiresDecoder
from napari_sam_decoder.model.precision import choose_precision
from napari_sam_decoder.training.examples import ExampleFolder
from napari_sam_decoder.training.loop import Schedule, Task, train
from napari_sam_decoder.weights.trained_decoders import (
    DecoderMetadata,
    TrainedDecoder,
    save_decoder,
)
from shipped_head.curriculum import Curriculum, generate_examples
from shipped_head.drawings import Drawings
from shipped_head.rating_task import RatingTask
from shipped_head.sam_examples import SamExample
from shipped_head.sharpening_task import SharpeningTask

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import torch

    from napari_sam_decoder.jobs.outputs import Progress
    from napari_sam_decoder.model.sam import Sam

    _TaskOptions = tuple[Task, Schedule, torch.dtype]

__all__ = ["HeadTraining"]


@dataclass(frozen=True)
class HeadTraining:
    """Everything on which the weights of a head depend.

    Attributes
    ----------
    curriculum : Curriculum
        The training examples.
    rating, sharpening : Schedule
        Steps and learning rates of the two tasks.
    drawings : Path, optional
        A folder of drawings, whose shapes half of the objects get.
    config : HiresConfig
        Widths of the head.
    """

    curriculum: Curriculum = field(default_factory=Curriculum)
    rating: Schedule = field(
        default_factory=lambda: Schedule(steps=1500, rate=1e-3, decay=0.1)
    )
    sharpening: Schedule = field(default_factory=lambda: Schedule(steps=7500))
    drawings: Path | None = None
    config: HiresConfig = field(default_factory=HiresConfig)

    def run(self, sam: Sam, folder: Path, target: Path, progress: Progress) -> None:
        """Train the head, or resume, and write the weights.

        Parameters
        ----------
        sam : Sam
            Frozen.
        folder : Path
            For examples and checkpoints; what is there is not done again.
        target : Path
            The file to write.
        progress : Progress
            Shows pictures and steps.

        Raises
        ------
        SamDecoderError
            If the encoder has no early features, or the folder is corrupt or belongs to
            another training.
        """
        examples = folder / "examples"
        pictures = generate_examples(
            self.curriculum, examples, sam, self._read_drawings()
        )
        for _ in progress(pictures, total=self.curriculum.total, what="pictures"):
            pass
        decoder = self._untrained(sam.device)
        for name, (task, schedule, dtype) in self._tasks(
            ExampleFolder(examples, SamExample), sam
        ).items():
            steps = train(decoder, task, schedule, folder / name, dtype=dtype)
            for _ in progress(steps, total=schedule.steps, what=name):
                pass
        metadata = DecoderMetadata(sam.weights, self._trained_on(sam))
        save_decoder(TrainedDecoder(metadata, decoder), target)

    def _untrained(self, device: torch.device) -> HiresDecoder:
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(self.curriculum.seed)
            decoder = HiresDecoder(self.config).to(device)
        # A step takes two thirds of the time with channels last.
        decoder.drawing.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return decoder

    def _tasks(
        self, examples: ExampleFolder[SamExample], sam: Sam
    ) -> dict[str, _TaskOptions]:
        import torch

        dtype = choose_precision("auto", sam.device).dtype
        return {
            "rating": (RatingTask(examples), self.rating, torch.float32),
            "sharpening": (SharpeningTask(examples, sam), self.sharpening, dtype),
        }

    def _read_drawings(self) -> Sequence[np.ndarray]:
        return () if self.drawings is None else Drawings(self.drawings)

    def _trained_on(self, sam: Sam) -> str:
        drawn = "" if self.drawings is None else f", drawings in {self.drawings.name}"
        return (
            f"generated pictures ({self.curriculum}{drawn}), photographs of "
            f"scikit-image, and what {sam.identity} sees of them"
        )
