from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

import decoder
from decoder_parts.click_scores import score_clicks
from decoder_parts.compared_heads import DecodedMasks, EncodedPicture, FixedHead
from napari_sam_decoder.model.values import Embedding, ModelPrompt
from napari_sam_decoder.samples import load_sample

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

SHAPE = (60, 80)


def square(shift: int = 0) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[20:40, 20 + shift : 40 + shift] = True
    return mask


def view() -> EncodedPicture:
    picture = np.zeros((*SHAPE, 3), np.uint8)
    return EncodedPicture(picture, Embedding(np.zeros((1, 1, 1)), SHAPE))


@dataclass
class Painter:
    """DecodedMasks given masks; a third click gives the last of them."""

    offers: list[np.ndarray]
    ratings: list[float]
    later: list[np.ndarray]
    prompts: list[ModelPrompt] = field(default_factory=list)

    def decode(
        self, view: EncodedPicture, prompt: ModelPrompt, previous: np.ndarray | None
    ) -> DecodedMasks:
        self.prompts.append(prompt)
        if previous is None:
            return DecodedMasks(np.array(self.offers, float), np.array(self.ratings))
        return DecodedMasks(self.later.pop(0)[None].astype(float), np.array([0.5]))

    def mask(
        self, view: EncodedPicture, prompt: ModelPrompt, logits: np.ndarray
    ) -> np.ndarray:
        return logits > 0


def test_the_mask_that_is_rated_best_is_picked() -> None:
    painter = Painter([square(8), square(), square(2)], [0.2, 0.5, 0.9], [square()] * 2)
    answer = score_clicks(painter, view(), square())
    assert answer.picked.iou == pytest.approx(18 / 22)
    assert answer.best.iou == 1
    assert answer.rated == 0.9
    assert answer.last.iou == 1
    assert answer.seconds > 0


def test_each_click_lies_in_what_is_wrong() -> None:
    painter = Painter([square(8)], [1], [square(4), square()])
    score_clicks(painter, view(), square())
    first, second, third = painter.prompts
    scale = 1024 / 80
    assert first.signs.tolist() == [1]
    assert len(second.points) == 2
    column, row = second.points[1] / scale
    wrong = square() ^ square(8)
    assert wrong[int(row), int(column)]
    assert second.signs[1] == square()[int(row), int(column)]
    column, row = third.points[2] / scale
    assert (square() ^ square(4))[int(row), int(column)]


def test_the_whole_scene_is_not_picked_if_there_is_anything_else() -> None:
    scene = np.ones(SHAPE, bool)
    painter = Painter([square(), scene], [0.6, 0.9], [square()] * 2)
    assert score_clicks(painter, view(), square()).picked.iou == 1
    painter = Painter([scene, ~square()], [0.6, 0.9], [square()] * 2)
    assert score_clicks(painter, view(), square()).rated == 0.9


def test_where_nothing_is_wrong_there_are_no_more_clicks() -> None:
    painter = Painter([square()], [1], [])
    assert score_clicks(painter, view(), square()).last.iou == 1
    assert len(painter.prompts) == 1


def test_the_slim_decoder_needs_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["decoder.py", str(tmp_path), "--head", "slim"])
    with pytest.raises(SystemExit):
        decoder.main()


@pytest.mark.slow
def test_all_decoders_are_measured(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import json

    import tifffile
    import torch

    from napari_sam_decoder import load_sam
    from napari_sam_decoder.model.heads import HiresConfig, HiresDecoder
    from napari_sam_decoder.weights.trained_decoders import (
        DecoderMetadata,
        TrainedDecoder,
        save_decoder,
    )

    sample = load_sample("cells")
    folder = tmp_path / "cells"
    folder.mkdir()
    tifffile.imwrite(folder / "image.tif", sample.frames[:3], photometric="minisblack")
    tifffile.imwrite(folder / "masks.tif", sample.truth[:3], photometric="minisblack")
    torch.manual_seed(0)
    about = DecoderMetadata(load_sam().weights, "nothing")
    trained = TrainedDecoder(about, HiresDecoder(HiresConfig()))
    save_decoder(trained, tmp_path / "w.safetensors")
    options = ["--weights", str(tmp_path / "w.safetensors"), "--frames", "1"]
    options += ["--objects", "2", "--json", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", ["decoder.py", str(folder), *options])
    decoder.main()
    printed = capsys.readouterr().out
    assert "cells: 2 objects" in printed
    rows = json.loads((tmp_path / "out.json").read_text())["all"]
    assert list(rows) == ["sam", "zoom", "rated", "sharp", "slim"]
    assert rows["rated"]["best_iou"] == rows["sam"]["best_iou"]
    assert rows["rated"]["off"] != rows["sam"]["off"]
    # Untrained, it draws what SAM draws.
    assert rows["sharp"]["best_iou"] == pytest.approx(rows["sam"]["best_iou"], abs=1)
    assert rows["sam"]["best_iou"] > 80


def test_without_ratings_the_same_output_is_picked(mobile_sam: Sam) -> None:
    picture = load_sample("pictures").frames[0]
    shown = EncodedPicture(picture, mobile_sam.encode(picture))
    click = ModelPrompt(np.array([[500, 400]], np.float32), np.array([1]))
    answer = mobile_sam.decode(shown.embedding, [click]).low_res_logits[0]
    for output in range(4):
        offers = FixedHead(mobile_sam, output).decode(shown, click, None)
        picked = offers.logits[int(np.argmax(offers.ratings))]
        np.testing.assert_array_equal(picked, answer[output])
        assert len(offers.logits) == (3 if output else 1)
