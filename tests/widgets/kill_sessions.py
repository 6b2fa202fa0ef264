"""Sessions in a window that are killed at random moments, and what their projects hold.

    python kill_sessions.py [KILLS] [ACTIONS] [SEED]

prints how many kills have lost no finished action, one, or more. Each session is a
process of its own that notes what is there after each action that it has saved, and
is ended by SIGKILL. The first one is not killed: it says how long a session lasts.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np
from stage import StageSam, squares

FRAMES = 4
SPOT = (50, 50)
NOTHING = np.zeros((FRAMES, 64, 64), np.uint16)


def movie():
    pixels, truth = squares(FRAMES)
    pixels[truth == 2] = 160
    pixels[:, 46:56, 46:56] = 240
    return pixels


class Actions:
    """What a person might do, drawn by chance; the same for the same seed."""

    def __init__(self, bench, seed):
        self.bench = bench
        self.random = Random(seed)

    def take(self):
        bench = self.bench
        if not bench.objects.listed:
            return self.new()
        can = [self.new, self.click, self.click, self.click, self.run, self.rename]
        if bench.labels is not None:
            can += [self.paint] * 4 + [self.erase, self.fill]
        if bench.points_layer is not None and len(bench.points_layer.data):
            can += [self.drag, self.drop]
        if bench.history.done:
            can += [bench.undo] * 3
        if bench.history.undone:
            can += [bench.redo] * 3
        if len(bench.objects.listed) > 3:
            can += [self.delete, self.delete]
        return self.random.choice(can)()

    def new(self):
        self.bench.new_object()

    def any_object(self):
        return self.random.choice(self.bench.objects.listed).object_id

    def frame(self):
        return self.random.randrange(FRAMES)

    def place(self):
        return self.random.randrange(64), self.random.randrange(64)

    def click(self):
        frame = self.frame()
        self.bench.viewer.dims.set_point(0, frame)
        place = self.random.choice([(16, 14), (44, 44), SPOT, self.place()])
        sign = self.random.random() < 0.8
        self.bench.add_points([frame, *place], self.any_object(), is_positive=sign)

    def run(self):
        if len(self.bench.controller.prompts):
            self.bench.propagate()

    def rename(self):
        self.bench.rename_object(self.any_object(), f"cell {self.random.random():.6f}")

    def paint(self, label=None):
        layer = self.bench.labels
        layer.brush_size = 7
        place = [self.frame(), *self.place()]
        layer.paint(place, self.any_object() if label is None else label)

    def erase(self):
        self.paint(0)

    def fill(self):
        self.bench.labels.fill([self.frame(), *self.place()], self.any_object())

    def drag(self):
        points = self.bench.points_layer
        data = points.data.copy()
        data[self.random.randrange(len(data)), 1:] = self.place()
        points.data = data
        self.bench.read()

    def drop(self):
        points = self.bench.points_layer
        points.selected_data = {self.random.randrange(len(points.data))}
        points.remove_selected()
        self.bench.read()

    def delete(self):
        labels = self.random.choice(["keep", "remove"])
        self.bench.delete_object(self.any_object(), labels)


def contents(history, labels):
    """What a project has to keep: pixels, points and boxes, objects, what to undo."""
    document = history.document
    objects = {key: str(one.name) for key, one in document.table("objects").items()}
    rows = repr((document.rows("points"), document.rows("shapes")))
    titles = [step.title for step in history.done]
    return labels.tobytes(), rows, sorted(objects.items()), titles


def work(folder, actions, seed):
    """Do all actions, and note each that is finished."""
    os.environ |= {
        "NAPARI_SAM_DECODER_PROJECTS": str(folder / "projects"),
        "NAPARI_SAM_DECODER_CACHE": str(folder),
    }
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    from napari_sam_decoder.widgets import controller, model_cache
    from napari_sam_decoder.widgets.movie_state import ModelOptions
    from napari_sam_decoder.widgets.workbench import Workbench

    app = QApplication.instance() or QApplication([])
    stage = StageSam()
    model_cache.ModelCache._get = lambda *_: stage
    controller.RERUN_DELAY_MS = 20
    bench = Workbench(ViewerModel())
    bench.configure(ModelOptions(cache=None))
    bench.choose_movie(bench.viewer.add_image(movie(), name="squares"))
    bench.wait()
    doing = Actions(bench, seed)
    with (folder / "finished").open("w") as finished:
        for _ in range(actions):
            doing.take()
            bench.wait()
            labels = NOTHING if bench.labels is None else bench.labels.data
            state = contents(bench.history, np.asarray(labels))
            # It is on its way to the file for a few milliseconds.
            bench.controller.state.project.flush()
            finished.write(f"{key_of(state)}\n")
            finished.flush()
    bench.close()
    app.quit()


def key_of(state):
    """A short name of a state."""
    return sha256(repr(state).encode()).hexdigest()


def started(folder, actions, seed):
    """Do all actions in a process of its own; return its number."""
    folder.mkdir()
    child = os.fork()
    if child:
        return child
    try:
        work(folder, actions, seed)
    except BaseException:  # noqa: BLE001 - the process ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def killed(folder, actions, seed, moment):
    """Kill a session after some seconds of work."""
    child = started(folder, actions, seed)
    while not (folder / "finished").exists():
        time.sleep(0.01)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def lost(folder):
    """How many finished actions a project has lost."""
    states = (folder / "finished").read_text().split()
    if not states:
        return 0
    here = opened(folder)
    kept = [number for number, key in enumerate(states, 1) if key in here]
    return len(states) - max(kept, default=0)


def opened(folder):
    """The state of a project, that before its last action, and that after the next."""
    from napari_sam_decoder.project import Project

    (path,) = (folder / "projects").rglob("*.samproject")
    found = set()
    # The action in work may be there in part, or have been an undo.
    for moves in ([], ["undo"], ["redo"]):
        project, labels = Project.open(path, is_read_only=True)
        assert project.damage is None, project.damage
        for move in moves:
            getattr(project.history, move)()
        target = project.history.document.table("options").get("target")
        shown = labels.get(target, next(iter(labels.values()), NOTHING))
        found.add(key_of(contents(project.history, shown)))
    return found


def kill_sessions(folder, kills, actions, seed):
    """Kill sessions; count how many actions each has lost."""
    random, counts = Random(seed), Counter()
    begun = time.monotonic()
    _, status = os.waitpid(started(folder / "whole", actions, seed), 0)
    assert status == 0
    lasting = time.monotonic() - begun
    for number in range(kills):
        place = folder / str(number)
        killed(place, actions, seed + number, random.uniform(0, lasting))
        counts[lost(place)] += 1
    return counts


if __name__ == "__main__":
    # Whatever takes long to import is imported once.
    import napari_sam_decoder.widgets.workbench  # noqa: F401

    given = [int(one) for one in sys.argv[1:]]
    counts = [*given, *(100, 200, 0)[len(given) :]]
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(f"{kill_sessions(Path(name), *counts)}\n")
