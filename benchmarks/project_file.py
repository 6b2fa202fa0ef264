"""What a long project costs: bytes on disk, time to open it, and time per action.

    python benchmarks/project_file.py [--events N] [--frames N] [--objects N]

Objects that drift are run through a movie several times, corrected, painted over and
pointed at, until there are as many events as asked for. No network is used: results are
drawn, and written by the same code as in the window. Times are those of the thread that
acts: to compress the pixels that have changed, and to hand everything over to the
thread that encodes and writes it.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam_decoder.cache import array_digest
from napari_sam_decoder.project import (
    Correction,
    CorrectionRun,
    LabelDifference,
    LabelsTarget,
    MovieCut,
    MovieIdentity,
    ObjectRecord,
    PointRow,
    Project,
    ProjectHeader,
    Run,
    RunRequest,
    TargetRecord,
)
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import FrameResult, ObjectResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

SHAPE = 480, 640
RADIUS = 17
CORRECTED_FRAMES = 10
"""Frames that a correction changes, about."""


@dataclass(eq=False)
class Timer:
    """Seconds per action that its thread spent on keeping it."""

    compressing: list[float] = field(default_factory=list)
    handing_over: list[float] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time all actions within."""
        between, emit = LabelDifference.between.__func__, Project._on_operation
        save = self._timed(emit, self.handing_over)
        LabelDifference.between = classmethod(self._added(between))
        Project._on_operation = save
        try:
            yield
        finally:
            LabelDifference.between = classmethod(between)
            Project._on_operation = emit

    def _timed(self, function, times):
        def timed(*arguments):
            start = perf_counter()
            found = function(*arguments)
            times.append(perf_counter() - start)
            self.compressing.append(0.0)
            return found

        return timed

    def _added(self, function):
        self.compressing.append(0.0)

        def added(*arguments):
            start = perf_counter()
            found = function(*arguments)
            self.compressing[-1] += perf_counter() - start
            return found

        return added


class Person:
    """Works on a movie that is made up, in a project."""

    def __init__(self, path: Path, frames: int, objects: int) -> None:
        self.frames, self.objects = frames, objects
        shape = (frames, *SHAPE)
        self.project = Project()
        self.history = self.project.history
        identity = MovieIdentity(None, "made up", shape, "uint8", "0" * 64)
        self.project.start(path, ProjectHeader(identity, "none"))
        self.cut = MovieCut(shape, 0)
        holder = SimpleNamespace(data=np.zeros(shape, np.uint16))
        document = self.history.document
        document.table("targets")[1] = TargetRecord("labels", shape, "uint16")
        self.target = LabelsTarget(
            holder, self.cut, self.history, 1, is_own=True, is_recorded=True
        )
        self.rng = np.random.default_rng(0)
        self.starts = self.rng.uniform(0, 1, (objects, 2)) * SHAPE
        self.speeds = self.rng.normal(0, 0.3, (objects, 2))
        self.events = 0
        self.history.subscribe(self._count)

    def _count(self, _: object) -> None:
        self.events += 1

    def result(self, frame: int, ids: range, wobble: float) -> FrameResult:
        """Draw objects as a run would find them."""
        labels = np.zeros(SHAPE, np.uint16)
        for one in ids:
            labels[self._disc(one - 1, frame, wobble)] = one
        found = {one: self._judged(one) for one in ids}
        return FrameResult(frame, labels, found)

    def _disc(self, index: int, frame: int, wobble: float):
        """A disc with an uneven outline: 2 * RADIUS pixels across, about."""
        top, left = map(int, self._middle(index, frame))
        rows, columns = np.ogrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
        angle = np.arctan2(rows, columns)
        reach = RADIUS - 3 + 2 * np.sin(3 * angle + index + wobble + frame / 30)
        inside = np.nonzero(rows**2 + columns**2 <= reach**2)
        places = [inside[0] + top - RADIUS, inside[1] + left - RADIUS]
        is_in = (places[0] >= 0) & (places[0] < SHAPE[0])
        is_in &= (places[1] >= 0) & (places[1] < SHAPE[1])
        return places[0][is_in], places[1][is_in]

    def _middle(self, index: int, frame: int) -> np.ndarray:
        return (self.starts[index] + frame * self.speeds[index]) % SHAPE

    def _judged(self, object_id: int) -> ObjectResult:
        figures = self.rng.uniform(0.8, 1, 7)
        is_sure = figures[0] > 0.81
        return ObjectResult(
            object_id,
            Verdict.SURE if is_sure else Verdict.DOUBTFUL,
            hypothesis=2,
            confidence=figures[0],
            iou_prediction=figures[1],
            stability=figures[2],
            memory_agreement=figures[3],
            temporal_iou=figures[4],
            area_change=figures[5],
            likeness=figures[6],
            mask_area=800,
        )

    def point(self, object_id: int, frame: int) -> Prompt:
        """Click on an object."""
        place = (
            self.starts[object_id - 1] + frame * self.speeds[object_id - 1]
        ) % SHAPE
        position = tuple(float(one) for one in place)
        document = self.history.document
        row = PointRow((float(frame), *position), object_id)
        details = {"prompts": [[object_id, frame]]}
        with self.history.step("Add a point", "prompts", details):
            document.set_rows("points", (*document.rows("points"), row))
            objects = document.table("objects")
            if object_id not in objects:
                objects[object_id] = ObjectRecord(f"object {object_id}")
        return Prompt(object_id, frame, points=[position])

    def run(self, wobble: float) -> None:
        """Run all objects through the movie."""
        ids = range(1, self.objects + 1)
        prompts = PromptSet(self.point(one, 0) for one in ids)
        run = Run(self.cut, self.target, prompts, False, RunRequest())
        run.open_step(self.history, None)
        with run.recording():
            self.target.begin(self.cut, prompts, RunRequest())
        for frame in range(self.frames):
            run.record(self.result(frame, ids, wobble))

    def correct(self) -> None:
        """Correct one object on a frame and those around it."""
        one = int(self.rng.integers(1, self.objects + 1))
        first = int(self.rng.integers(0, self.frames - CORRECTED_FRAMES))
        prompt = self.point(one, first)
        frames = range(first, first + CORRECTED_FRAMES)
        correction = Correction((prompt,), frames)
        run = CorrectionRun.of(self.cut, self.target, (correction,))
        run.open_step(self.history, self.history.done[-1])
        for frame in frames:
            labels = np.array(self.target.labels(self.cut, frame))
            labels[labels == one] = 0
            labels[self._disc(one - 1, frame, self.rng.uniform(0, 6))] = one
            run.record(FrameResult(frame, labels, {one: self._judged(one)}))

    def stroke(self) -> None:
        """Paint with a brush."""
        frame = int(self.rng.integers(self.frames))
        row, column = (int(self.rng.integers(12, side - 12)) for side in SHAPE)
        before = np.array(self.target.labels(self.cut, frame))
        plane = self.target.holder.data[frame]
        plane[row - 6 : row + 6, column - 10 : column + 10] = self.rng.integers(
            self.objects + 1
        )
        self.target.record_strokes({(frame,): (before, np.array(plane))}, "Paint")

    def work(self, events: int) -> None:
        """Do all of it until there are so many events."""
        for wobble in (0, 0.2, 0.4):
            self.run(wobble)
        while self.events < events:
            self.correct()
            for _ in range(8):
                self.stroke()
            self.point(
                int(self.rng.integers(1, self.objects + 1)),
                int(self.rng.integers(self.frames)),
            )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=40)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.samproject"
        timer = Timer()
        with timer.watching():
            person = Person(path, options.frames, options.objects)
            person.work(options.events)
        print(f"events: {person.events}")
        print_times("compressing", timer.compressing)
        print_times("handing over", timer.handing_over)
        person.project.close()
        print(f"size: {path.stat().st_size / 1e6:.1f} MB")
        seconds, digest = opened(path)
        print(f"opening: {seconds:.2f} s")
        is_same = digest == array_digest(person.target.holder.data)
        print(f"labels are {'' if is_same else 'NOT '}the same")


def opened(path: Path) -> tuple[float, bytes]:
    """Open a project in a new process, as another day."""
    context = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(open_here, path).result()


def open_here(path: Path) -> tuple[float, bytes]:
    """Open a project; return the seconds that took and a digest of its labels."""
    start = perf_counter()
    _, labels = Project.open(path, is_read_only=True)
    return perf_counter() - start, array_digest(labels[1])


def print_times(what: str, seconds: list[float]) -> None:
    """Print the median and the 95th percentile."""
    median, high = np.percentile(seconds, [50, 95]) * 1e3
    print(f"{what}: {median:.2f} ms (median), {high:.2f} ms (95 %)")


if __name__ == "__main__":
    main()
