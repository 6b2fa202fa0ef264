"""Learning from fixed frames, with a real if tiny network."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from stage import squares

import napari_sam_decoder.jobs.learn as learn_module
import napari_sam_decoder.jobs.train as train_module
from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.jobs import replay, stored_model
from napari_sam_decoder.jobs.learn import LearnedDecoder
from napari_sam_decoder.jobs.train import STEPS
from napari_sam_decoder.prompts import PaintedMask
from napari_sam_decoder.weights.trained_decoders import load_decoder
from napari_sam_decoder.widgets.dock import SamDecoderDock
from napari_sam_decoder.widgets.job_queue import wait_until
from napari_sam_decoder.widgets.learning import describe_learned
from napari_sam_decoder.widgets.movie_state import ModelOptions
from napari_sam_decoder.widgets.parts.message_part import MessagePart
from napari_sam_decoder.widgets.review_dock import ReviewDock

pytestmark = pytest.mark.gui

FRAMES = 8
FIXED = 0, 2, 5
PATIENCE = 60


@pytest.fixture(autouse=True)
def _short_training(monkeypatch):
    monkeypatch.setattr(train_module, "PICTURES", 4)
    train = learn_module.learn
    monkeypatch.setattr(
        learn_module,
        "learn",
        lambda *given, steps: train(*given, steps=min(steps, 2)),
    )


@pytest.fixture
def bench(bench):
    """An object in labels from elsewhere, right on a few frames."""
    movie, truth = squares(FRAMES)
    bench.choose_movie(bench.viewer.add_image(movie, name="squares"))
    bench.choose_labels(bench.viewer.add_labels(truth, name="labels"))
    bench.viewer.dims.set_point(0, 0)
    bench.wait()
    fix(bench, FIXED)
    return bench


def fix(bench, frames):
    for frame in frames:
        bench.confirm_frame(1, frame)
    bench.wait()


def learned(bench):
    bench.learn()
    bench.wait()
    return bench.learned


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def held_up(monkeypatch):
    """Let a training go on only once this is set."""
    gate, train = threading.Event(), learn_module.learn

    def wait_and_learn(*given, **options):
        gate.wait(PATIENCE)
        yield from train(*given, **options)

    monkeypatch.setattr(learn_module, "learn", wait_and_learn)
    yield gate
    gate.set()


def test_it_is_compared_on_a_frame_that_it_has_not_seen(bench):
    found = learned(bench)
    assert (found.frames, found.held_out) == ((0, 5), 2)
    assert "Learned from 2 frames" in bench.controller.state.outcome
    assert "On frame 2, which it has not seen" in describe_learned(found)
    assert bench.controller.state.options.decoder == "auto", "nobody has said so yet"


def test_what_is_used_lies_beside_the_project(bench):
    before = bench.labels.data.copy()
    content = learned(bench).content
    bench.use_learned()
    project = bench.controller.state.project.path
    path = bench.controller.state.options.decoder
    assert path.parent == project.parent
    assert path.read_bytes() == content
    assert load_decoder(path).finetuned
    assert bench.learned is None
    np.testing.assert_array_equal(bench.labels.data, before)


def test_undo_brings_the_old_decoder_back(bench):
    learned(bench)
    bench.use_learned()
    path = bench.controller.state.options.decoder
    bench.undo()
    title = "Use what was learned from 2 frames"
    assert bench.controller.state.outcome == f"Undone: {title}."
    assert bench.controller.state.options.decoder == "auto"
    bench.redo()
    assert bench.controller.state.options.decoder == path
    assert bench.history.done[-1].title == "Use what was learned from 2 frames"


def test_fixed_masks_stay_whatever_the_new_decoder_makes_of_a_click(bench):
    bench.select_object(1)
    bench.add_points((2, 18, 20))
    bench.wait()
    before = bench.labels.data[2].copy()
    learned(bench)
    bench.use_learned()
    (prompt,) = (one for one in bench.controller.prompts if one.frame == 2)
    assert not len(prompt.points)
    assert prompt.mask == PaintedMask.of(before == 1)
    bench.propagate()
    bench.wait()
    np.testing.assert_array_equal(bench.labels.data[2], before)


def test_undo_takes_back_that_they_stay(bench):
    bench.select_object(1)
    bench.add_points((2, 18, 20))
    bench.wait()
    before = bench.objects.scribbles
    learned(bench)
    bench.use_learned()
    assert len(bench.objects.scribbles) == len(before) + 1
    bench.undo()
    assert bench.objects.scribbles == before
    assert bench.controller.state.options.decoder == "auto"


def test_those_of_a_locked_object_are_left_alone(bench):
    bench.select_object(1)
    bench.add_points((2, 18, 20))
    bench.wait()
    before = bench.objects.scribbles
    learned(bench)
    bench.lock_object(1)
    bench.use_learned()
    assert bench.objects.scribbles == before


def test_what_cannot_be_used_is_not_kept(bench):
    learned(bench)
    project = bench.controller.state.project.path
    before, data = sorted(project.parent.iterdir()), bench.labels.data
    bench.labels.data = np.zeros((2, 3, 4), np.uint8)
    with pytest.raises(LabelsError):
        bench.use_learned()
    assert sorted(project.parent.iterdir()) == before
    bench.labels.data = data
    bench.use_learned()
    assert len(sorted(project.parent.iterdir())) == len(before) + 1


def test_a_second_one_is_kept_beside_the_first(bench):
    paths = []
    for _ in range(2):
        learned(bench)
        bench.use_learned()
        paths.append(bench.controller.state.options.decoder)
    assert paths[0] != paths[1]
    bench.undo()
    assert bench.controller.state.options.decoder == paths[0]


def test_it_is_resumed_also_from_a_copy(bench, tmp_path):
    learned(bench)
    bench.use_learned()
    original = bench.controller.state.options.decoder
    copy = tmp_path / "elsewhere" / "copy.samproject"
    copy.parent.mkdir()
    bench.save_project_as(copy)
    content = original.read_bytes()
    original.unlink()
    bench.resume(copy)
    bench.wait()
    carried = bench.controller.state.options.decoder
    assert carried.parent == copy.parent
    assert carried.read_bytes() == content
    assert stored_model(copy) == ("mobile_sam", str(carried)), "commands find it too"


def test_what_was_run_with_it_can_be_replayed(bench):
    learned(bench)
    bench.use_learned()
    path = bench.controller.state.options.decoder
    project = bench.controller.state.project
    used = SimpleNamespace(weights="net", decoder=f"{path.name} sha256:12")
    asked = []

    def load(_, *, decoder, precision):
        asked.append(decoder)
        return used

    # Another one is in use by now, or the files have been moved.
    with bench.history.note():
        bench.history.document.table("options")["settings"] = {}
    find = replay._ModelFinder(load, project)
    details = {"model": "net float32", "decoder": used.decoder}
    assert find(details) is used
    assert asked == [str(path)]


def test_a_script_says_for_how_long(bench, monkeypatch):
    asked, train = [], learn_module.learn

    def note(*given, steps):
        asked.append(steps)
        yield from train(*given, steps=steps)

    monkeypatch.setattr(learn_module, "learn", note)
    bench.learn(steps=7)
    bench.wait()
    learned(bench)
    assert asked == [7, STEPS]
    with pytest.raises(OptionError, match="1 or more, not 0"):
        bench.learn(steps=0)


def test_another_movie_does_not_get_it(bench):
    learned(bench)
    bench.use_learned()
    movie, _ = squares(FRAMES)
    bench.choose_movie(bench.viewer.add_image(movie[::-1], name="other"))
    assert bench.controller.state.options.decoder == "auto"


def test_what_is_not_used_is_forgotten(bench):
    learned(bench)
    steps = len(bench.history.done)
    bench.discard_learned()
    assert bench.learned is None
    assert len(bench.history.done) == steps
    with pytest.raises(OptionError, match="learn from fixed frames first"):
        bench.use_learned()


def test_it_says_what_is_missing(bench):
    for _ in FIXED[1:]:
        bench.undo()
    with pytest.raises(LabelsError, match=r"takes 2 fixed frames, and 1 is fixed"):
        bench.learn()


def test_it_can_be_stopped(bench, held_up):
    bench.learn()
    assert wait_until(lambda: bench.controller.learning.running is not None, PATIENCE)
    with pytest.raises(OptionError, match="being trained just now"):
        bench.learn()
    before, steps = bench.labels.data.copy(), len(bench.history.done)
    bench.stop_learning()
    held_up.set()
    bench.wait()
    assert bench.learned is None
    assert len(bench.history.done) == steps
    np.testing.assert_array_equal(bench.labels.data, before)
    assert learned(bench) is not None


def test_clicks_do_not_wait_for_it(bench, held_up):
    bench.learn()
    assert wait_until(lambda: bench.controller.learning.running is not None, PATIENCE)
    bench.new_object()
    bench.add_points((0, 46, 46))
    controller = bench.controller
    prompts = controller.prompts_here
    assert wait_until(lambda: bool(controller.state.previews.masks(prompts)), PATIENCE)
    assert controller.learning.running is not None


def test_another_model_makes_it_worthless(bench):
    learned(bench)
    bench.configure(ModelOptions(cache=None, model="another"))
    assert bench.learned is None


def test_a_failure_changes_nothing(bench, monkeypatch):
    def fail(*_, **__):
        raise LabelsError("no room")
        yield

    monkeypatch.setattr(learn_module, "learn", fail)
    bench.learn()
    with pytest.raises(LabelsError, match="no room"):
        bench.wait()
    assert bench.learned is None
    assert not bench.controller.is_learning


def test_it_is_offered_from_five_frames_on(bench):
    assert bench.offer == ""
    fix(bench, (6, 7))
    assert bench.offer.startswith("5 frames are fixed")
    learned(bench)
    assert bench.offer == ""
    bench.use_learned()
    assert bench.offer == "", "it was taken"


def test_no_more_is_learned_from_than_is_useful(bench, monkeypatch):
    monkeypatch.setattr(train_module, "MOST_FRAMES", 2)
    fix(bench, range(FRAMES))
    found = learned(bench)
    assert (found.frames, found.held_out) == ((0, 7), 4)


class TestButtons:
    """As a person sees them in the review dock."""

    @pytest.fixture
    def viewer(self, make_napari_viewer):
        return make_napari_viewer(show=True)

    @pytest.fixture
    def bench(self, viewer, monkeypatch, tiny_sam):
        monkeypatch.setattr(
            "napari_sam_decoder.weights.registry.load_sam", lambda *_, **__: tiny_sam
        )
        movie, truth = squares(FRAMES)
        viewer.add_image(movie, name="squares")
        layer = viewer.add_labels(truth, name="labels")
        name = "Segment through a movie"
        _, dock = viewer.window.add_plugin_dock_widget("napari-sam-decoder", name)
        bench = dock.workbench
        bench.configure(ModelOptions(cache=None))
        bench.choose_labels(layer)
        bench.wait()
        dock._review.click()
        return bench

    @pytest.fixture
    def part(self, bench, viewer):
        (review,) = viewer.window._qt_window.findChildren(ReviewDock)
        return review.learning

    def test_learn_and_use(self, bench, part, qtbot):
        fix(bench, FIXED[:1])
        qtbot.waitUntil(lambda: "1 is fixed" in part.said.text())
        assert not part.learn.isEnabled()
        fix(bench, FIXED[1:])
        qtbot.waitUntil(lambda: part.said.text() == "3 frames fixed to learn from.")
        qtbot.waitUntil(part.learn.isEnabled)
        click(part.learn)
        bench.wait()
        qtbot.waitUntil(part.use.isVisible)
        assert "On frame 2" in part.said.text()
        assert isinstance(bench.learned, LearnedDecoder)
        click(part.use)
        qtbot.waitUntil(part.learn.isVisible)
        assert not part.use.isVisible()
        assert ".learned-1" in str(bench.controller.state.options.decoder)
        qtbot.waitUntil(lambda: "in use was learned" in part.said.text())

    def test_the_offer_is_no_warning(self, bench, viewer, part, qtbot):
        fix(bench, range(5))
        (dock,) = viewer.window._qt_window.findChildren(SamDecoderDock)
        lines = dock.findChildren(MessagePart)[0].notices
        offer = "5 frames are fixed: 'Review…' can learn from them"
        qtbot.waitUntil(lambda: lines.text() == offer)
        click(lines)
        assert dock.findChildren(MessagePart)[0].whole.text().endswith(f"\n{offer}")

    def test_cancel(self, bench, part, qtbot, held_up):
        fix(bench, FIXED)
        qtbot.waitUntil(part.learn.isEnabled)
        click(part.learn)
        qtbot.waitUntil(lambda: part.learn.text() == "Cancel")
        qtbot.waitUntil(part.learn.isEnabled)
        click(part.learn)
        qtbot.waitUntil(lambda: part.learn.text() == "Learn from my frames")
        assert bench.learned is None
