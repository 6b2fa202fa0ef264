from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from tracking_parts.baselines import (
    feedback,
    plant,
    projection,
    projection_motion,
    recollection,
    static,
)
from tracking_parts.data import choose_targets
from tracking_parts.methods import METHODS

from napari_sam_decoder import Prompt, Session, Settings
from napari_sam_decoder.model.values import Embedding, FrameLogits, MaskCandidates
from napari_sam_decoder.prompts import mask_logits
from napari_sam_decoder.propagation import Context

FRAMES, ROWS, COLUMNS = 6, 48, 64
SIDE = COLUMNS


class Repeater:
    """A network that repeats the mask it is given, moved by three columns a frame.

    One low-res pixel is one frame pixel. Of its masks only the ``best`` is so; the
    others are empty.
    """

    image_size, mask_size = 4 * SIDE, SIDE

    def __init__(self, best=0, step=3):
        self.best, self.step = best, step
        self.asked = []

    def get(self, frame):
        return Embedding(np.full((1, 1, 1), frame), (ROWS, COLUMNS))

    def decode(self, embedding, prompts, previous_logits):
        (prompt,), (previous,) = prompts, previous_logits
        self.asked.append((prompt, previous))
        logits = np.full((1, 4, SIDE, SIDE), -5, np.float32)
        if previous is not None:
            logits[0, self.best] = np.roll(previous, self.step, axis=1)
        ratings = np.full((1, 4), 0.5)
        ratings[0, self.best] = 0.9
        return MaskCandidates(logits, ratings)

    def enlarge(self, low_res_logits, frame_shape):
        rows, columns = frame_shape
        return FrameLogits(low_res_logits[:rows, :columns], (slice(None), slice(None)))


@pytest.fixture
def stage(truth):
    """Build a context, and a seed of the first object's true mask."""

    def build(**values):
        network = Repeater(**values)
        context = Context(network, network, (ROWS, COLUMNS), Settings())
        return network, context, plant(context, Prompt(1, 0, mask=truth[0] == 1))

    return build


def test_a_mask_is_taken_as_it_is(stage, truth):
    network, context, seed = stage()
    assert not network.asked
    np.testing.assert_array_equal(seed.mask, truth[0] == 1)
    expected = mask_logits(truth[0] == 1, context.geometry, SIDE)
    np.testing.assert_array_equal(seed.logits, expected)


def test_a_prompt_is_put_to_the_decoder():
    network = Repeater(best=2)
    context = Context(network, network, (ROWS, COLUMNS), Settings())
    seed = plant(context, Prompt(1, 0, [(10, 10)]))
    ((asked, previous),) = network.asked
    assert asked.points.tolist() == [[40, 40]]
    assert previous is None
    assert seed.mask.shape == (ROWS, COLUMNS)


def test_projection_asks_by_box_and_hard_mask(stage):
    network, context, seed = stage()
    masks = list(projection(context, seed, range(1, 4)))
    for (earlier, later), (prompt, previous) in zip(
        pairwise([seed.mask, *masks]), network.asked, strict=True
    ):
        np.testing.assert_array_equal(later, np.roll(earlier, 3, axis=1))
        np.testing.assert_array_equal(previous[:ROWS] > 0, earlier)
        assert np.abs(previous[:ROWS]) == pytest.approx(6.9, abs=0.01)
        assert not previous[ROWS:].any(), "padding has no opinion"
        rows, columns = np.nonzero(earlier)
        corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert prompt.box.tolist() == [4 * corner for corner in corners]
        assert not len(prompt.points)


def test_projection_takes_the_single_mask_and_ends_when_it_is_empty(stage):
    network, context, seed = stage(best=1)
    masks = list(projection(context, seed, range(1, 4)))
    assert not np.any(masks)
    assert len(network.asked) == 1


def test_motion_is_known_from_the_third_frame(stage):
    network, context, seed = stage()
    list(projection_motion(context, seed, range(1, 4)))
    starts = [prompt.box[0] / 4 for prompt, _ in network.asked]
    # The second mask is 3 to the right, so the third prompt lies 3 further on and its
    # answer 6; smoothed, the fourth one lies 4.5 further on, or 5 in whole pixels.
    first = 6
    assert starts[:2] == [first, first + 6]
    assert starts[2] - (first + 9) in (4, 5)


def test_feedback_takes_the_best_rated_mask_and_goes_on_with_its_soft_logits(stage):
    network, context, seed = stage(best=3)
    masks = list(feedback(context, seed, range(1, 4)))
    np.testing.assert_array_equal(masks[-1], np.roll(seed.mask, 9, axis=1))
    for (_, earlier), (prompt, later) in pairwise(network.asked):
        np.testing.assert_array_equal(later, np.roll(earlier, 3, axis=1))
        assert len(prompt.points) == 1
        assert prompt.box is not None


def test_feedback_ends_when_nothing_is_left(stage):
    network, context, seed = stage(best=3)
    seed.logits[:] = -5
    assert not np.any(list(feedback(context, seed, range(1, 4))))
    assert not network.asked


def test_a_static_mask_is_asked_for_by_point_and_box(stage):
    network, context, seed = stage()
    assert len(list(static(context, seed, range(1, 4)))) == 3
    for prompt, previous in network.asked:
        assert prompt.points.tolist() == [[13 * 4, 17 * 4]]
        assert prompt.box.tolist() == [4 * corner for corner in (6, 10, 22, 26)]
        assert previous is None


class Seer(Repeater):
    """Knows the object by its look, and repeats the mask it is given as it is.

    Its last mask, the whole of the picture, is rated highest.
    """

    def __init__(self, truth):
        super().__init__(step=0)
        self.truth = truth

    def get(self, frame):
        is_object = np.zeros((SIDE, SIDE), bool)
        is_object[:ROWS] = self.truth[frame] == 1
        cells = is_object[2::4, 2::4]
        return Embedding(np.stack([cells, ~cells]).astype(np.float16), (ROWS, COLUMNS))

    def get_with_pixels(self, frame):
        return self.get(frame), np.zeros((ROWS, COLUMNS, 3), np.uint8)

    def decode(self, embedding, prompts, previous_logits):
        answer = super().decode(embedding, prompts, previous_logits)
        answer.low_res_logits[0, 3] = 9
        answer.iou_predictions[0, 3] = 1
        return answer


def test_the_memory_finds_the_object_wherever_it_is(truth):
    # Multiples of the four pixels of a cell, so that cells tell all.
    places = np.roll(truth, (-2, -2), axis=(1, 2))
    places[3] = np.roll(places[3], 20, axis=0)
    places[4] = 0
    network = Seer(places)
    context = Context(network, network, (ROWS, COLUMNS), Settings())
    seed = plant(context, Prompt(1, 0, mask=places[0] == 1))
    masks = list(recollection(context, seed, range(1, 6)))
    for frame, mask in enumerate(masks, start=1):
        inner = ndimage.binary_erosion(places[frame] == 1, iterations=2)
        outer = ndimage.binary_dilation(places[frame] == 1, iterations=2)
        assert (mask >= inner).all()
        assert (mask <= outer).all()
    assert len(network.asked) == 4, "nothing is asked for where nothing is recalled"
    for prompt, previous in network.asked:
        assert len(prompt.points) == 1
        assert prompt.box is not None
        assert previous[ROWS:].max() < -8, "the padding is background"


@pytest.mark.parametrize("start", ["first", "largest"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_on_a_network(method, start, pixels, truth, tiny_sam):
    targets = choose_targets(truth, start)
    prompts = [
        Prompt(target.object_id, target.start, mask=target.truth(target.start))
        for target in targets
    ]
    with Session(pixels, model=tiny_sam) as session:
        run = METHODS[method](session, targets, prompts)
    assert run.seconds > 0
    for target in targets:
        np.testing.assert_array_equal(
            run.mask_at(target.object_id, target.start), target.truth(target.start)
        )
        for frame in target.frames:
            mask = run.mask_at(target.object_id, frame)
            assert (mask.shape, mask.dtype) == ((ROWS, COLUMNS), bool)
    assert sorted(run.results) == (list(range(FRAMES)) if method == "full" else [])
