"""Go through the working day of an annotator in a napari window that nobody sees.

    python examples/scripted_day.py [--objects N] [--frames N] [--out FOLDER]

Twenty generated cells are shown with boxes and points, and carried through the movie.
In the middle of that the process is killed, as by a power cut. The next one goes on
where the project ends: it corrects, takes back and does again, reviews what is
doubtful, learns from the frames that were fixed, and saves labels, measurements and a
copy of the project to FOLDER. All of it is done by public methods of the workbench,
which are what the controls of the docks call. The truth, which is known, takes the
place of the annotator's eyes. The exit status is 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import napari
import numpy as np
import tifffile
from scipy import ndimage

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.samples import deforming_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_sam_decoder.widgets.workbench import Workbench

RIGHT = 0.85
"""IoU with the truth from which on the annotator is content."""
MOST_CORRECTIONS = 5
"""Of one cell."""
MOST_REVIEWED = 6
"""Doubtful places that are looked at before the day ends."""
FILES = "movie.tif", "truth.tif"
UNDER_WAY = "labels arrive"
PATIENCE_S = 600


@dataclass(frozen=True)
class Cells:
    """The movie of the day.

    Attributes
    ----------
    frames : (T, Y, X) array of uint8
    truth : (T, Y, X) array of int
        What the annotator sees: 1 to N for the N cells that are segmented, 0 elsewhere.
    """

    frames: np.ndarray
    truth: np.ndarray

    @property
    def ids(self) -> range:
        """The cells, from 1."""
        return range(1, int(self.truth.max()) + 1)

    @classmethod
    def read(cls, folder: Path) -> Cells:
        """Read what `write` has written."""
        return cls(*(tifffile.imread(folder / name) for name in FILES))

    def write(self, folder: Path) -> None:
        """Write the movie and its truth."""
        for name, stack in zip(FILES, (self.frames, self.truth), strict=True):
            tifffile.imwrite(folder / name, stack, metadata={"axes": "TYX"})

    def is_right(self, labels: np.ndarray, cell: int, frame: int) -> bool:
        """Whether labels hold a cell on a frame as the annotator sees it."""
        seen = self.truth[frame] == cell
        return mask_iou(seen, labels[frame] == cell) >= RIGHT


def make_cells(objects: int, frames: int) -> Cells:
    """Put four dishes of cells beside each other, and choose some of the cells."""
    dishes = [deforming_cells(seed) for seed in range(4)]
    # The fewer frames, the more happens between them.
    taken = np.linspace(0, len(dishes[0].frames) - 1, frames).round().astype(int)
    every = np.ix_(taken, *(range(0, side, 2) for side in dishes[0].frames.shape[1:]))
    pixels, truths = zip(
        *((dish.frames[every], dish.truth[every]) for dish in dishes), strict=True
    )
    most = max(int(truth.max()) for truth in truths)
    numbered = [
        np.where(truth > 0, truth + most * number, 0)
        for number, truth in enumerate(truths)
    ]
    truth = _four(numbered)
    # Those that leave the picture are somebody else's work.
    seen = [set(np.unique(one)) - {0} for one in truth]
    whole = sorted(set.intersection(*seen))[:objects]
    cells = [(truth == one) * number for number, one in enumerate(whole, start=1)]
    return Cells(_four(pixels), np.sum(cells, axis=0, dtype=np.uint16))


def _four(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.block([list(parts[:2]), list(parts[2:])])


def main() -> None:
    """Work until the process is killed, and go on in another one."""
    options = read_options()
    if options.morning_in:
        morning(options.morning_in)
        return
    # A frame that is being embedded is written even after the window was closed.
    with TemporaryDirectory(prefix="day", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        os.environ |= {
            "NAPARI_SAM_DECODER_PROJECTS": f"{folder / 'projects'}",
            "NAPARI_SAM_DECODER_CACHE": f"{folder / 'cache'}",
        }
        make_cells(options.objects, options.frames).write(folder)
        be_killed(folder)
        afternoon(folder, options.steps, options.out)
    print("all is as it should be")


def be_killed(folder: Path) -> None:
    """Start the morning in a process of its own, and kill it while labels arrive."""
    command = [sys.executable, __file__, "--morning-in", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith(UNDER_WAY):
                # SIGKILL, where there are signals: nothing can be tidied up.
                process.kill()
                break
        status = process.wait()
    require(status != 0, "the morning was cut off")
    print("killed")


def morning(folder: Path) -> None:
    """Show all cells on the first frame, and carry them through the movie."""
    cells = Cells.read(folder)
    _, bench = open_window(folder)
    for cell in cells.ids:
        show_cell(bench, cells, cell)
    print(f"{len(bench.objects.listed)} objects are shown", flush=True)
    bench.propagate()
    bench.wait(until=lambda: bench.progress is not None and bench.progress.done > 1)
    print(UNDER_WAY, flush=True)
    bench.wait(PATIENCE_S)


def afternoon(folder: Path, steps: int, out: Path) -> None:
    """Go on where the project ends, and finish the work."""
    cells = Cells.read(folder)
    viewer, bench = open_window(folder)
    go_on(bench, cells)
    take_back(bench, cells)
    tidy_up(bench)
    slip(bench, cells)
    review(bench, cells)
    correct_all(bench, cells)
    learn(bench, cells, steps)
    report(bench, cells)
    copy = save(bench, cells, out)
    labels = np.array(bench.labels.data)
    viewer.close()

    viewer, bench = open_window()
    bench.open_project(copy)
    bench.wait(PATIENCE_S)
    require((bench.labels.data == labels).all(), "the copy holds the labels")
    viewer.close()


def open_window(folder: Path | None = None) -> tuple[napari.Viewer, Workbench]:
    """Open napari with both docks, and on its first frame the movie of a folder."""
    viewer = napari.Viewer(show=False)
    for name in ("Segment through a movie", "Review (SAM decoder)"):
        _, dock = viewer.window.add_plugin_dock_widget("napari-sam-decoder", name)
    bench = dock.workbench
    if folder is not None:
        (movie,) = viewer.open(folder / FILES[0], layer_type="image")
        bench.choose_movie(movie)
        bench.show_frame(0)
    bench.wait(PATIENCE_S)
    return viewer, bench


def show_cell(bench: Workbench, cells: Cells, cell: int) -> None:
    """Draw a box around a cell or click it, and pick the hypothesis that is it."""
    seen = cells.truth[0] == cell
    made = bench.new_object(f"cell {cell}")
    require(made.object_id == cell, "objects are numbered as they are shown")
    if cell % 2:
        bench.add_box(0, box_around(seen))
    else:
        bench.add_points((0, *inmost(seen)))
    bench.wait(PATIENCE_S)
    preview = bench.current_preview
    require(preview is not None, f"cell {cell} has a preview")
    best = max(preview.hypotheses, key=lambda offered: mask_iou(seen, offered.mask))
    if best.number != preview.chosen.number:
        bench.choose_hypothesis(best.number)
        bench.wait(PATIENCE_S)


def go_on(bench: Workbench, cells: Cells) -> None:
    """Resume what was cut off: it has all objects, and the frames that were done."""
    bench.resume()
    bench.wait(PATIENCE_S)
    names = [one.name for one in bench.objects.listed]
    require(names == [f"cell {cell}" for cell in cells.ids], "all objects are back")
    done = np.flatnonzero(bench.labels.data.any(axis=(1, 2)))
    require(0 < len(done) < len(cells.truth), "what was done of the run is there")
    print(f"resumed with labels on {len(done)} of {len(cells.truth)} frames")
    bench.propagate()
    bench.wait(PATIENCE_S)
    require(bench.labels.data.any(axis=(1, 2)).all(), "all frames are labelled")


def take_back(bench: Workbench, cells: Cells) -> None:
    """Click what is right as if it were wrong, take that back, do it again."""
    before = np.array(bench.labels.data)
    frame = len(before) // 2
    middle = inmost(cells.truth[frame] == 1)
    bench.show_place(1, frame)
    bench.add_points((frame, *middle), 1, is_positive=False)
    bench.wait(PATIENCE_S)
    after = np.array(bench.labels.data)
    require((after != before).any(), "a click corrects the labels")
    for move, expected in ((bench.undo, before), (bench.redo, after)) * 2:
        move()
        bench.wait(PATIENCE_S)
        require((bench.labels.data == expected).all(), f"{move.__name__} is exact")
    bench.undo()
    bench.wait(PATIENCE_S)


def tidy_up(bench: Workbench) -> None:
    """Name, lock, split, merge and delete objects; all but the first is taken back."""
    before = np.array(bench.labels.data)
    bench.rename_object(1, "mother")
    require(bench.objects.require(1).name == "mother", "objects can be renamed")
    actions = {
        "lock": lambda: bench.lock_object(2),
        "split": lambda: bench.split_object(1, len(before) // 2),
        "merge": lambda: bench.merge_objects(3, 4),
        "delete": lambda: bench.delete_object(5, "remove"),
    }
    known = bench.summaries
    for name, act in actions.items():
        act()
        bench.wait(PATIENCE_S)
        require(bench.summaries != known, f"{name} changes an object")
        bench.undo()
        bench.wait(PATIENCE_S)
        require(bench.summaries == known, f"{name} can be undone")
    require((bench.labels.data == before).all(), "no pixel has changed")


def slip(bench: Workbench, cells: Cells) -> None:
    """Paint the second cell while the first is selected, and notice that later."""
    last = len(cells.truth) - 1
    bench.show_place(1, last)
    bench.add_scribble(last, cells.truth[last] == 2)
    bench.wait(PATIENCE_S)
    labels = np.asarray(bench.labels.data)
    require(not cells.is_right(labels, 1, last), "a slip makes a cell wrong")
    require(bench.doubtful_places() != (), "who lost pixels is doubtful")


def correct_all(bench: Workbench, cells: Cells) -> None:
    """Correct each cell on the frame where it is most wrong, until it is right."""
    actions = 0
    for cell in cells.ids:
        for _ in range(MOST_CORRECTIONS):
            labels = np.asarray(bench.labels.data)
            frame = worst_frame(cells, labels, cell)
            if cells.is_right(labels, cell, frame):
                break
            actions += 1
            correct(bench, cells, cell, frame)
    print(f"{actions} corrections")


def worst_frame(cells: Cells, labels: np.ndarray, cell: int) -> int:
    """Find the frame on which a cell fits worst."""
    pairs = zip(cells.truth, labels, strict=True)
    return int(np.argmin([mask_iou(a == cell, b == cell) for a, b in pairs]))


def correct(bench: Workbench, cells: Cells, cell: int, frame: int) -> None:
    """Box what is lost, scribble over what is missing, click what is too much."""
    bench.show_place(cell, frame)
    seen, found = cells.truth[frame] == cell, bench.labels.data[frame] == cell
    missing, extra = seen & ~found, found & ~seen
    if not (seen & found).any():
        bench.add_box(frame, box_around(seen), cell)
    elif missing.sum() >= extra.sum():
        row, column = map(int, inmost(missing))
        stroke = np.zeros_like(missing)
        stroke[row - 2 : row + 3, column - 2 : column + 3] = True
        bench.add_scribble(frame, stroke & missing, cell)
    else:
        bench.add_points((frame, *inmost(extra)), cell, is_positive=False)
    bench.wait(PATIENCE_S)


def review(bench: Workbench, cells: Cells) -> None:
    """Go where a correction helps most; say so where the mask is right."""
    right = looked = 0
    while looked < MOST_REVIEWED and (place := bench.next_doubtful()) is not None:
        looked += 1
        if cells.is_right(bench.labels.data, place.object_id, place.frame):
            right += 1
            bench.confirm_frame()
            bench.wait(PATIENCE_S)
        else:
            correct(bench, cells, place.object_id, place.frame)
        said = bench.verdict(place.object_id, place.frame)
        require(
            said is not None and not said.is_doubtful, "what was settled is settled"
        )
    print(f"{looked} doubtful places were looked at, {right} of them were right")


def learn(bench: Workbench, cells: Cells, steps: int) -> None:
    """Fix some frames, train the decoder on them, and use it for one more run."""
    for frame in (len(cells.truth) // 2, len(cells.truth) - 1):
        labels = np.asarray(bench.labels.data)
        for cell in cells.ids[:3]:
            if cells.is_right(labels, cell, frame):
                bench.confirm_frame(cell, frame)
    bench.wait(PATIENCE_S)
    require(bench.missing_to_learn == "", "there is enough to learn from")
    bench.learn(steps)
    bench.wait(PATIENCE_S)
    learned = bench.learned
    require(learned is not None, "something was learned")
    print(
        f"learned from {len(learned.frames)} frames in {steps} steps: IoU on another "
        f"{learned.before.clicked:.3f} before, {learned.after.clicked:.3f} after"
    )
    bench.use_learned()
    bench.undo()
    bench.redo()
    bench.propagate(objects=[1])
    bench.wait(PATIENCE_S)


def report(bench: Workbench, cells: Cells) -> None:
    """Print how well the labels fit, and refuse what nobody would accept."""
    labels = np.asarray(bench.labels.data)
    pairs = [(cell, frame) for cell in cells.ids for frame in range(len(labels))]
    right = np.mean([cells.is_right(labels, *pair) for pair in pairs])
    print(f"{right:.1%} of the masks have an IoU of {RIGHT} or more with the truth")
    require(right > RIGHT, "most masks are right")


def save(bench: Workbench, cells: Cells, folder: Path) -> Path:
    """Save labels, measurements and the project; return its copy."""
    folder.mkdir(parents=True, exist_ok=True)
    table, copy = folder / "measurements.csv", folder / "day.samproject"
    bench.measure(table)
    bench.wait(PATIENCE_S)
    with table.open(newline="") as file:
        measured = {(row["object_id"], row["frame"]) for row in csv.DictReader(file)}
    expected = len(cells.ids) * len(cells.truth)
    require(len(measured) == expected, "each object is measured on each frame")
    require(
        len(bench.labels.features) == len(cells.ids), "each object has its features"
    )
    bench.labels.save(str(folder / "labels.tif"))
    bench.save_project_as(copy, overwrite=True)
    print(f"saved {len(bench.history.done)} actions in {folder}")
    return copy


def box_around(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(row0, column0, row1, column1) around the pixels of a mask."""
    rows, columns = np.nonzero(mask)
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def inmost(mask: np.ndarray) -> tuple[float, float]:
    """(row, column) of the pixel deepest inside a mask."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(row - 1), float(column - 1)


def require(is_true: bool, what: str) -> None:
    """End with what should have been."""
    if not is_true:
        raise SystemExit(f"not so: {what}")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=20, help="at most 20")
    parser.add_argument("--frames", type=int, default=12, help="at most 60")
    parser.add_argument("--steps", type=int, default=100, help="of the training")
    parser.add_argument("--out", type=Path, default=Path("scripted_day"))
    parser.add_argument("--morning-in", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
