"""How late the window answers while it works: lateness of a 10 ms timer, per phase.

    python benchmarks/window_latency.py [--seconds S] [--movie 60x1024x1024]
    python benchmarks/window_latency.py --objects 40 --length 1000
    python benchmarks/window_latency.py --slide 4096
    python benchmarks/window_latency.py --first

A stall of the event loop makes one tick late, however long it lasts; the last column
gives the share of the time that was spent in stalls of more than 50 ms. Needs a
display, and a machine that does nothing else. Compare with the row where only napari
works: without a graphics card, painting alone takes tens of milliseconds.

With `--objects`, so many are in the labels of a movie of `--length` frames, with a
verdict on each frame, and the review dock shows them. Everything done is written to a
project in any case.

With `--slide`, twenty cells of a picture of so many pixels a side are clicked with the
mouse, one after another, once the whole picture is embedded: in clusters of five, of
which the first click opens a window of the picture.

With `--first`, an object of a new movie is clicked `--seconds` after the dock opens, as
the first thing that is done in this process.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import resource
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import TYPE_CHECKING

import napari
import numpy as np
import qtpy
from qtpy.QtCore import QCoreApplication, QEventLoop, Qt, QTimer
from window_parts.crowd import Crowd, add_crowd
from window_parts.slide import SlideStage, slide

from napari_sam_decoder import load_sample
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.movie_state import ModelOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.widgets.workbench import Workbench

TICK_MS = 10
STALL_MS = 50
ONCE = 0
FOLLOW_EVERY_MS = 50
STEP_EVERY_MS = 200
CLICK_EVERY_MS = 500
CLICKS = 20
REST_S = 0.5
PATIENCE_S = 600

Position = tuple[float, float]
Chore = tuple[int, "Callable[[], None]"]


class Probe:
    """A timer that notes, in milliseconds, how late it is each time."""

    def __init__(self) -> None:
        self.lateness: list[float] = []
        self._due = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        # Restarted each time, so that a late tick does not make the next one early.
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._tick)
        self._arm()

    def stop(self) -> np.ndarray:
        """Tick no more, and return what was noted."""
        self._timer.stop()
        return np.array(self.lateness)

    def _arm(self) -> None:
        self._due = perf_counter() + TICK_MS / 1000
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        self.lateness.append(max(0.0, 1000 * (perf_counter() - self._due)))
        self._arm()


class Stage:
    """A window with a movie, the dock, and one clicked object per position."""

    def __init__(
        self,
        movie: np.ndarray,
        clicks: list[Position],
        caches: Path,
        frames: int,
        crowd: Crowd | None = None,
    ) -> None:
        self.frames = range(min(frames, len(movie)))
        self.viewer = napari.Viewer()
        image = self.viewer.add_image(movie, name="movie")
        _, dock = self.viewer.window.add_plugin_dock_widget(
            "napari-sam-decoder", "Segment through a movie"
        )
        self.bench: Workbench = dock.workbench
        self.bench.choose_movie(image)
        self.stepping: Chore = STEP_EVERY_MS, self.step
        self.following: Chore = FOLLOW_EVERY_MS, self.follow
        self._caches, self._click, self._clicked = caches, clicks[0], 0
        self.use_cache("kept")
        self.show_frame(0)
        for click in clicks if crowd is None else ():
            self.bench.new_object()
            self.bench.add_points((0, *click))
        self.bench.wait(PATIENCE_S)
        if crowd is not None:
            self.viewer.window.add_plugin_dock_widget(
                "napari-sam-decoder", "Review (SAM decoder)"
            )
            add_crowd(self.bench, crowd, PATIENCE_S)

    def use_cache(self, name: str) -> None:
        """Work with a cache of this name, and embed nothing unasked."""
        self.bench.stop_embedding()
        self.bench.configure(ModelOptions(cache=self._caches / name))
        self.bench.wait(PATIENCE_S)

    def show_frame(self, frame: int) -> None:
        """Move the slider."""
        self.viewer.dims.set_point(0, frame)

    def settle(self) -> None:
        """Stop all work, and wait until the step under way is done."""
        self.bench.stop_embedding()
        self.bench.stop()
        self.show_frame(0)
        wait_until(lambda: not is_working(), PATIENCE_S)

    def embed(self) -> None:
        """Embed the frames of the runs, and whatever lies nearer to the slider."""
        self.bench.embed()
        wait_until(lambda: self.is_embedded, PATIENCE_S)
        self.settle()

    @property
    def is_embedded(self) -> bool:
        """Whether all frames of the runs are embedded."""
        return self.bench.controller.state.embedded.issuperset(self.frames)

    def run(self) -> None:
        """Start a run over the frames of the runs, if there is none."""
        if not self.bench.controller.is_running:
            ids = [
                one.object_id
                for one in self.bench.objects.listed
                if not {*one.frames}.isdisjoint(self.frames)
            ]
            self.bench.propagate("forward", frames=self.frames, objects=ids)

    def follow(self) -> None:
        """Look at the frame that the run comes to next."""
        run, labels = self.bench.controller.writer.run, self.bench.labels
        if run is None or labels is None:
            return
        frame = self.frames[min(run.progress.done, len(self.frames) - 1)]
        if frame != self.bench.frame:
            # What an earlier run has left there would not need to be painted.
            labels.data[frame] = 0
            self.show_frame(frame)

    def step(self) -> None:
        """Look at the next frame, or at the first again."""
        self.show_frame((self.bench.frame + 1) % len(self.frames))

    def click(self) -> None:
        """Add a point on the current frame to the current object, each time another."""
        self._clicked += 1
        row, column = self._click
        point = self.bench.frame, row + self._clicked % 7, column + self._clicked % 11
        self.bench.points_layer.add(point)

    def preview_times(self) -> tuple[float, float, float]:
        """Milliseconds from the click of a new object to its mask.

        Until the mask is given to the canvas, until that has been painted, and those
        of the processor up to then, by all threads together.
        """
        made, loop = self.bench.new_object(), QEventLoop()
        rest(REST_S)
        given: list[float] = []

        def note() -> None:
            given.append(perf_counter())
            loop.quit()

        self.bench.controller.previewed.connect(note)
        started, computed = perf_counter(), process_time()
        self.click()
        loop.exec_()
        QCoreApplication.processEvents()
        painted, computed = perf_counter(), process_time() - computed
        self.bench.controller.previewed.disconnect(note)
        self.bench.wait(PATIENCE_S)
        self.bench.delete_object(made.object_id)
        times = given[0] - started, painted - started, computed
        return 1000 * times[0], 1000 * times[1], 1000 * times[2]


def is_working() -> bool:
    """Whether a thread of the dock is alive."""
    return any(thread.name == "napari-sam-decoder" for thread in threading.enumerate())


def rest(seconds: float) -> None:
    """Let the window live for a while."""
    wait_until(lambda: False, seconds)


def watch(seconds: float, *chores: Chore) -> np.ndarray:
    """Measure for some seconds, with chores done every so many milliseconds."""
    timers = [QTimer() for _ in chores]
    probe = Probe()
    for timer, (interval, chore) in zip(timers, chores, strict=True):
        chore()
        if interval != ONCE:
            timer.timeout.connect(chore)
            timer.start(interval)
    rest(seconds)
    for timer in timers:
        timer.stop()
    return probe.stop()


def measure(stage: Stage, seconds: float) -> None:
    """Print a row per phase."""
    show("nothing", watch(seconds))
    show("napari: slider moves 5 times a second", watch(seconds, stage.stepping))
    stage.show_frame(0)
    show_clicks("nothing else going on", [stage.preview_times() for _ in range(CLICKS)])

    show("embedding ahead of time", watch(seconds, (ONCE, stage.bench.embed)))
    times = [stage.preview_times() for _ in range(CLICKS)]
    show_clicks("while frames are embedded", times)
    stage.embed()

    stage.use_cache("cold")
    show("a run starts with a new Labels layer", watch(1, (ONCE, stage.run)))
    show("propagation, embedding as it goes", watch(seconds, stage.following))
    stage.settle()

    stage.use_cache("kept")
    runs = (FOLLOW_EVERY_MS, stage.run), stage.following
    show("propagation from the cache", watch(seconds, runs[0]))
    show("the same, and the slider follows", watch(seconds, *runs))
    stage.settle()

    stage.bench.new_object()
    clicks = CLICK_EVERY_MS, stage.click
    show("the same, and a click every 0.5 s", watch(seconds, *runs, clicks))
    stage.settle()


def show(phase: str, lateness: np.ndarray) -> None:
    """Print how late the ticks of a phase came."""
    stalls = lateness[lateness > STALL_MS].sum()
    share = stalls / (lateness + TICK_MS).sum()
    median, p95 = np.percentile(lateness, [50, 95])
    print(
        f"{phase:40}{len(lateness):6}{median:8.1f}{p95:8.1f}{lateness.max():8.1f}"
        f"{share:9.1%}",
        flush=True,
    )


def show_clicks(circumstance: str, times: list[tuple[float, float, float]]) -> None:
    """Print how long previews took."""
    names = "mask", "painted mask", "painted mask, computing"
    for what, column in zip(names, np.transpose(times), strict=True):
        median, p95 = np.percentile(column, [50, 95])
        print(
            f"click to {what}, {circumstance}: median {median:.0f} ms, 95 % within "
            f"{p95:.0f} ms, worst {column.max():.0f} ms",
            flush=True,
        )


def measure_slide(side: int, cache: Path) -> None:
    """Print how long clicks on a large picture take, and the most memory used."""
    picture, middles = slide(side, CLICKS)
    stage = SlideStage(picture, cache)
    rest(REST_S)
    times = [stage.click(middle) for middle in middles]
    for is_first, where in ((True, "first in a window"), (False, "in a known window")):
        rows = [
            (one.given, one.painted, one.computed)
            for one in times
            if one.is_first == is_first
        ]
        if rows:
            show_clicks(f"{where} (of {side} x {side})", rows)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"most memory {most:.0f} MB, of which the picture {picture.nbytes / 1e6:.0f}")
    stage.viewer.close()


def measure_first(movie: np.ndarray, click: Position, seconds: float) -> None:
    """Print how long the first click takes to its mask, and the longest stall."""
    viewer = napari.Viewer()
    viewer.add_image(movie, name="movie")
    rest(REST_S)
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-sam-decoder", "Segment through a movie"
    )
    rest(seconds)
    bench, given, probe = dock.workbench, list[float](), Probe()
    bench.controller.previewed.connect(lambda: given.append(perf_counter()))
    started = perf_counter()
    bench.new_object()
    bench.points_layer.add((bench.frame, *click))
    wait_until(lambda: bool(given), PATIENCE_S)
    print(
        f"first click to mask, {seconds:g} s after the dock: "
        f"{given[0] - started:.2f} s; longest stall {probe.stop().max() / 1000:.2f} s",
        flush=True,
    )
    bench.stop_embedding()
    viewer.close()


def show_circumstances() -> None:
    """Print versions, the processor's cores, and how busy they are."""
    print(
        f"napari {napari.__version__}, {qtpy.API_NAME} with Qt {qtpy.QT_VERSION}, "
        f"torch {importlib.metadata.version('torch')}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def show_columns() -> None:
    """Print what the figures of each phase are."""
    columns = f"{'n':>6}{'median':>8}{'p95':>8}{'worst':>8}{'stalled':>9}"
    print(f"{'lateness of a tick, ms':40}{columns}")


def noisy_movie(shape: tuple[int, int, int]) -> tuple[np.ndarray, list[Position]]:
    """Make noise with a brighter disc that drifts, and say where to click on it."""
    rng = np.random.default_rng(0)
    movie = rng.integers(0, 128, shape, np.uint8)
    radius = min(shape[1:]) // 8
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = np.hypot(rows, columns) <= radius
    reach = min(shape[1:]) - disc.shape[0]
    for frame, start in enumerate(np.linspace(0, reach, shape[0]).astype(int)):
        window = slice(start, start + disc.shape[0])
        movie[frame, window, window][disc] += 120
    return movie, [(radius, radius)]


def to_and_fro(movie: np.ndarray, length: int) -> np.ndarray:
    """Play a movie forwards and backwards until it is so long."""
    turn = [*range(len(movie)), *range(len(movie) - 2, 0, -1)]
    return movie[np.resize(turn, length)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15, help="per phase")
    parser.add_argument("--frames", type=int, default=12, help="of each run")
    parser.add_argument("--movie", help="TxYxX of noise, instead of the sample")
    parser.add_argument("--objects", type=int, help="in the labels from the start")
    parser.add_argument("--length", type=int, help="frames; the sample to and fro")
    parser.add_argument("--slide", type=int, help="side of a picture of cells")
    parser.add_argument("--first", action="store_true", help="the first click of all")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        os.environ["NAPARI_SAM_DECODER_PROJECTS"] = f"{folder}/projects"
        os.environ["NAPARI_SAM_DECODER_CACHE"] = f"{folder}/cache"
        show_circumstances()
        if options.slide:
            measure_slide(options.slide, Path(folder) / "cache")
        else:
            measure_movie(options, Path(folder))
        wait_until(lambda: not is_working(), PATIENCE_S)


def measure_movie(options: argparse.Namespace, folder: Path) -> None:
    """Measure the first click, or one phase after the other."""
    if options.movie:
        frames, rows, columns = map(int, options.movie.split("x"))
        movie, clicks = noisy_movie((frames, rows, columns))
    else:
        sample = load_sample("cells")
        movie, clicks = sample.frames, [c.position for c in sample.clicks[:2]]
    if options.length:
        movie = to_and_fro(movie, options.length)
    if options.first:
        measure_first(movie, clicks[0], options.seconds)
        return
    crowd = Crowd(options.objects, movie.shape) if options.objects else None
    stage = Stage(movie, clicks, folder, options.frames, crowd)
    show_columns()
    measure(stage, options.seconds)
    stage.viewer.close()


if __name__ == "__main__":
    main()
