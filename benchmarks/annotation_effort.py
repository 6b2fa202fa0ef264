"""How much a person has to do until the masks are right, with the workbench.

    python benchmarks/annotation_effort.py DATA [DATA ...] [--objects N] [--frames N]
        [--habit HABIT ...] [--cache DIR] [--json OUT]

A simulated annotator, who knows the truth, draws a box around each object on its first
frame (in a volume: on its largest), runs all objects through the movie, and corrects
them one action at a time: a click into the largest error of a mask, a scribble after
three clicks on it, or a box where the object is lost. After each action the workbench
corrects what follows from it. Only public methods of the workbench are used.

The habits:

in-time      looks at all masks, frame by frame, and corrects each wrong one
review       first goes where the review order says, confirms what is right there and
             corrects what is wrong, until nothing is doubtful; then as above
learn        as in-time, and trains the decoder once five frames are fixed
review-learn both

Printed are the share of masks with a J of 0.85 or more after so many actions per
object, the boxes included; the actions per object until all of them are, if the
annotator's patience lasts; and seconds of the processor.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from effort_parts.annotator import Annotator, Effort, Habits
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from tracking_parts.data import choose_targets, read

from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracking_parts.data import Clip, Target

AFTER = 1, 2, 3, 5, 8, 12, 20, 30
"""Actions per object after which shares are printed."""
LEARN_FROM = 5
"""Fixed frames, from which on the window offers it."""
VOLUMES = "lm_", "em_", "mri_", "ct_"
"""How the names of volumes begin."""
HABITS = {
    "in-time": {},
    "review": {"in_order": True},
    "learn": {"learn_from": LEARN_FROM},
    "review-learn": {"in_order": True, "learn_from": LEARN_FROM},
}


def measure(
    clip: Clip, targets: Sequence[Target], length: int, habits: Habits, cache: Path
) -> Effort:
    """Let somebody with some habits segment objects, in a workbench of their own."""
    pixels = np.stack([clip.movie.raw(frame) for frame in range(len(clip.movie))])
    bench = Workbench(ViewerModel())
    try:
        bench.configure(ModelOptions(cache=cache))
        bench.choose_movie(bench.viewer.add_image(pixels, name=clip.name))
        bench.stop_embedding()
        return Annotator(bench, targets, length, habits).work()
    finally:
        bench.close()
        wait_until(lambda: False, 0.1)


def row(name: str, habit: str, effort: Effort, objects: int) -> dict:
    """Put what is printed and kept of one sequence and habit together."""
    shares = [
        effort.shares[min(objects * (after - 1), len(effort.shares) - 1)]
        for after in AFTER
    ]
    done = effort.shares[-1] == 1
    actions = (len(effort.shares) - 1) / objects + 1
    return {
        "name": name,
        "habit": habit,
        "objects": objects,
        "shares": dict(zip(map(str, AFTER), shares, strict=True)),
        "actions": actions,
        "is_done": done,
        **asdict(effort) | {"shares_after_each": effort.shares},
    } | {"shares": dict(zip(map(str, AFTER), shares, strict=True))}


def show(found: dict) -> None:
    """Print one row."""
    shares = "".join(f"{100 * share:6.0f}" for share in found["shares"].values())
    sign = " " if found["is_done"] else ">"
    order = "-"
    if found["share_in_order"] is not None:
        order = (
            f"{found['proposed_wrong']}/{found['proposed']} wrong, "
            f"{100 * found['share_in_order']:.0f} %"
        )
    learned = found["learned"]
    gain = "-" if learned is None else f"{learned[0]:.3f} -> {learned[1]:.3f}"
    print(
        f"{found['name']:20}{found['habit']:14}{shares}{sign:>3}{found['actions']:5.1f}"
        f"{found['looked']:7}{found['seconds']:7.0f}  {order:18} {gain}",
        flush=True,
    )


def show_header() -> None:
    """Print what the columns are."""
    after = "".join(f"{after:6}" for after in AFTER)
    print(
        f"{'sequence':20}{'habit':14}{after}{'all':>8}{'looked':>7}{'s':>7}"
        f"  {'proposed':18} learned"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all sequences with all habits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--objects", type=int, default=6)
    parser.add_argument("--frames", type=int, help="only so many from the first on")
    parser.add_argument("--actions", type=int, default=30, help="most per object")
    parser.add_argument("--steps", type=int, default=500, help="of the training")
    parser.add_argument("--habit", nargs="+", choices=HABITS, default=[*HABITS])
    parser.add_argument("--cache", type=Path, help="where embeddings are kept")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    application = QApplication.instance() or QApplication([])
    found = []
    show_header()
    with TemporaryDirectory() as folder:
        os.environ["NAPARI_SAM_DECODER_PROJECTS"] = f"{folder}/projects"
        for path in options.data:
            clip = read(path)
            length = min(options.frames or len(clip.movie), len(clip.movie))
            start = "largest" if clip.name.startswith(VOLUMES) else "first"
            targets = choose_targets(clip.masks[:length], start, options.objects)
            cache = (options.cache or Path(folder)) / clip.name
            for habit in options.habit:
                habits = Habits(
                    most=options.actions, steps=options.steps, **HABITS[habit]
                )
                effort = measure(clip, targets, length, habits, cache)
                found.append(row(clip.name, habit, effort, len(targets)))
                show(found[-1])
    if options.json:
        options.json.write_text(json.dumps({"sequences": found}, indent=1))
    application.quit()


if __name__ == "__main__":
    main()
