"""What a script can ask a workbench while it works."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("qtpy.QtCore", exc_type=ImportError)

import numpy as np
from stage import squares

from napari_sam_decoder.errors import DecodingError, SamDecoderError
from napari_sam_decoder.propagation import Verdict

pytestmark = pytest.mark.gui

FRAMES = 4


@pytest.fixture
def bench(fresh):
    movie, _ = squares(FRAMES)
    fresh.choose_movie(fresh.viewer.add_image(movie, name="squares"))
    fresh.viewer.dims.set_point(0, 0)
    fresh.new_object()
    return fresh


def test_hypotheses_are_those_of_the_prompt(bench):
    assert bench.current_preview is None, "nothing was clicked"
    bench.add_points((0, 16, 14))
    bench.wait()
    assert [one.number for one in bench.current_preview.hypotheses] == [1, 2, 3]
    assert bench.current_preview.prompt == bench.current_prompt
    bench.choose_hypothesis(1)
    bench.wait()
    assert bench.current_preview.chosen.number == 1
    bench.show_frame(1)
    assert bench.current_preview is None, "it shows another frame"


def test_a_hypothesis_of_an_earlier_prompt_is_not_shown_as_that_of_the_next(bench):
    bench.add_points((0, 16, 14))
    bench.wait()
    bench.add_points((0, 12, 10))
    assert bench.current_preview is None, "it is not decoded yet"
    bench.wait()
    assert bench.current_preview.prompt == bench.current_prompt


@pytest.mark.parametrize(
    "attempt",
    [
        *(lambda bench, n=n: bench.choose_hypothesis(n) for n in (7, 0, -1, 1.5, True)),
        *(lambda bench, n=n: bench.show_hypothesis(n) for n in (4, 0, "x")),
        *(lambda bench, n=n: bench.limit_history(n) for n in ("x", 1.5, 0, True)),
        *(lambda bench, n=n: bench.select_object(n) for n in (1.0, True, "1")),
        lambda bench: bench.rename_object(1, 5),
        lambda bench: bench.new_object(5),
        lambda bench: bench.split_object(1, 1, 5),
        lambda bench: bench.lock_object(1.0),
        lambda bench: bench.set_sign("no"),
        lambda bench: bench.step_object(1.5),
        lambda bench: bench.choose_movie(bench.movie.layer, True),
        lambda bench: bench.choose_movie(bench.movie.layer, 1.0),
        lambda bench: bench.choose_plane(0, 1.5),
        lambda bench: bench.show_window("no"),
        lambda bench: bench.choose_candidate(1.0, is_kept=True),
        lambda bench: bench.merge_candidates([1, "a"]),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(bench, attempt):
    bench.add_points([(0, 16, 14), (2, 16, 16)])
    document, axis = bench.history.document, bench.movie.axis
    steps, options = bench.history.done, dict(document.table("options"))
    objects = bench.objects.listed
    with pytest.raises(SamDecoderError, match=r"not|no "):
        attempt(bench)
    assert bench.history.done == steps
    assert dict(document.table("options")) == options
    assert (bench.objects.listed, bench.movie.axis) == (objects, axis)


def test_numbers_may_come_from_an_array(bench):
    bench.add_points((0, 16, 14))
    (label,) = np.array([1], np.uint16)
    bench.select_object(label)
    bench.rename_object(label, "one")
    bench.choose_hypothesis(label)
    assert type(bench.objects.current_id) is int
    assert bench.current_prompt.hypothesis == 1
    assert [one.name for one in bench.objects.listed] == ["one"]


def test_a_run_is_waited_for_until_some_frames_are_done(bench, sam):
    bench.stop_embedding()
    sam.gate = threading.Semaphore(2)
    bench.add_points((0, 16, 14))
    assert bench.progress is None
    bench.propagate()
    bench.wait(60, until=lambda: bench.progress is not None and bench.progress.done)
    assert bench.progress.total == FRAMES
    for _ in range(FRAMES):
        sam.gate.release()
    bench.wait()
    assert bench.progress is None
    verdicts = [bench.verdict(1, frame).verdict for frame in range(FRAMES)]
    assert verdicts[0] is Verdict.PROMPTED
    assert Verdict.SURE in verdicts
    assert bench.verdict(2, 0) is None


def test_waiting_ends_with_an_error(bench, sam):
    sam.error = DecodingError("no values")
    bench.add_points((0, 16, 14))
    with pytest.raises(DecodingError, match="no values"):
        bench.wait(60, until=lambda: False)


def test_what_never_comes_is_waited_for_no_longer_than_asked(bench):
    with pytest.raises(TimeoutError):
        bench.wait(0.1, until=lambda: False)
