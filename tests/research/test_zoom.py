from __future__ import annotations

import numpy as np
import pytest
from stand_in import BrightSam

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.model.values import ModelPrompt
from shipped_head.zoom import SMALLEST_SIDE, zoom_in


def picture(size: int = 30) -> np.ndarray:
    """A bright disc on a dark frame of 300 x 480 pixels."""
    rows, columns = np.mgrid[:300, :480]
    disc = np.hypot(rows - 200, columns - 100) < size
    return np.repeat(np.where(disc, 250, 10).astype(np.uint8)[..., None], 3, axis=-1)


def prompt(*places: tuple[float, float]) -> ModelPrompt:
    """Clicks at (row, column) of the frame."""
    points = np.array(places, np.float32)[:, ::-1] * 512 / 480
    return ModelPrompt(points, np.ones(len(points), int))


def coarse(sam: BrightSam, frame: np.ndarray) -> np.ndarray:
    return sam.decode(sam.encode(frame), [prompt((200, 100))]).low_res_logits[0, 1]


@pytest.mark.parametrize("size", [4, 30, 90])
def test_a_closer_look_is_finer(size: int) -> None:
    sam, frame = BrightSam(), picture(size)
    logits = coarse(sam, frame)
    truth = frame[..., 0] > 128
    seen = zoom_in(sam, frame, logits, prompt((200, 100)))
    assert seen is not None
    found, rating = seen
    before = sam.upscale(logits[None], (300, 480))[0] > 0
    after = mask_iou(found.mask((300, 480)), truth)
    assert after >= mask_iou(before, truth)
    assert after > 0.95
    assert rating == pytest.approx(0.86)


def test_only_what_is_around_the_object_is_looked_at() -> None:
    sam, frame = BrightSam(), picture()
    zoom_in(sam, frame, coarse(sam, frame), prompt((200, 100)))
    assert 70 < max(sam.seen[-1].shape[:2]) < 110
    sam, frame = BrightSam(), picture(3)
    zoom_in(sam, frame, coarse(sam, frame), prompt((200, 100)))
    assert SMALLEST_SIDE <= max(sam.seen[-1].shape[:2]) <= SMALLEST_SIDE + 2


def test_clicks_lie_where_they_lay() -> None:
    sam, frame = BrightSam(), picture()
    logits = coarse(sam, frame)
    found = zoom_in(sam, frame, logits, prompt((200, 100), (190, 110), (20, 400)))
    assert found is not None
    window = found[0].place
    (asked,) = sam.prompts[-1]
    assert len(asked.points) == len(asked.signs) == 2
    scale = 512 / max(sam.seen[-1].shape[:2])
    for point, (row, column) in zip(
        asked.points, [(200, 100), (190, 110)], strict=True
    ):
        assert point[0] == pytest.approx((column - window[1].start) * scale, abs=1)
        assert point[1] == pytest.approx((row - window[0].start) * scale, abs=1)
    x0, y0, x1, y1 = asked.box
    assert (x1 - x0) / scale == pytest.approx(59, abs=4)
    assert (y1 - y0) / scale == pytest.approx(59, abs=4)


def test_where_nothing_was_found_there_is_nothing_to_look_at() -> None:
    sam, frame = BrightSam(), picture()
    nothing = np.full((128, 128), -4, np.float32)
    assert zoom_in(sam, frame, nothing, prompt((200, 100))) is None
