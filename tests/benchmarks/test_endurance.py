from __future__ import annotations

import json

import endurance
import numpy as np
import pytest
from endurance_parts.discs import MOST_OBJECTS, Discs
from endurance_parts.ideal import WHOLE, IdealNetwork

from napari_sam_decoder.model.values import ModelPrompt

MODEL_PIXELS_PER_PIXEL = 0.8


@pytest.fixture
def discs():
    return Discs(frames=1000, objects=5)


def ask(place):
    """Click on a (row, column) of the frame."""
    point = np.array([place[::-1]], np.float32) * MODEL_PIXELS_PER_PIXEL
    return ModelPrompt(point, np.array([1]))


def test_discs_never_touch_nor_leave():
    movie = Discs(frames=1000, objects=MOST_OBJECTS)
    areas = [np.bincount(movie.truth(frame).ravel()) for frame in range(0, 1000, 13)]
    assert all(len(area) == 1 + MOST_OBJECTS for area in areas)
    assert len(np.unique([area[1:] for area in areas])) == 1


def test_frames_are_drawn_the_same_each_time(discs):
    assert discs[7].dtype == discs.dtype
    assert discs[7].shape == discs.shape[1:]
    assert (discs[7] == Discs(frames=8, objects=5)[7]).all()
    assert (discs[7] != discs[8]).any()


def test_network_draws_what_is_under_the_click(discs):
    network = IdealNetwork()
    embedding = network.encode(np.stack([discs[30]] * 3, axis=-1))
    assert embedding.features.shape == network.embedding_shape
    centres = discs.centres(30)
    candidates = network.decode(embedding, [ask(centre) for centre in centres])
    shape, drawn = discs.shape[1:], candidates.low_res_logits[:, WHOLE]
    masks = [network.enlarge(logits, shape).mask(shape) for logits in drawn]
    for object_id, mask in zip(discs.object_ids, masks, strict=True):
        truth = discs.truth(30) == object_id
        assert (mask & truth).sum() > 0.95 * (mask | truth).sum()
    halves, everything = candidates.low_res_logits[0, [1, 3]] > 0
    whole = candidates.low_res_logits[0, WHOLE] > 0
    assert halves.sum() < whole.sum() < everything.sum()


def test_network_rates_background_as_no_object(discs):
    network = IdealNetwork()
    embedding = network.encode(np.stack([discs[0]] * 3, axis=-1))
    candidates = network.decode(embedding, [ask((2, 2))])
    assert (candidates.iou_predictions == 0).all()


def test_rows_and_figures_are_as_promised(tmp_path, capsys):
    pytest.importorskip("resource")
    out = tmp_path / "endurance.json"
    options = ["--frames", "10", "--objects", "2", "--every", "4", "--json", str(out)]
    endurance.main(options)
    content = json.loads(out.read_text())
    assert content["objects"] == 2
    assert [row["frames"] for row in content["rows"]] == [1, 4, 8, 10]
    assert content["iou"] > 0.9
    assert content["seconds_per_frame"] > 0
    peaks = [row["peak_mb"] for row in content["rows"]]
    assert content["growth_mb"] == pytest.approx(peaks[-1] - peaks[0])
    heading, *rows, last = capsys.readouterr().out.splitlines()
    assert heading.split() == ["frames", "peak", "MB", "s/frame", "mean", "IoU"]
    assert [int(row.split()[0]) for row in rows] == [1, 4, 8, 10]
    assert "2 objects" in last
    assert f"grew by {content['growth_mb']:.1f} MB" in last


def test_means_weigh_each_frame_the_same():
    rows = [endurance.Row(2, 100.0, 0.4, 1.0), endurance.Row(20, 103.0, 0.2, 0.5)]
    expected = {"seconds_per_frame": 0.22, "iou": 0.55, "growth_mb": 3.0}
    assert endurance.summary(rows) == pytest.approx(expected)


@pytest.mark.parametrize(("frames", "expected"), [(40, [4, 15, 30, 40]), (1, [1])])
def test_rows_come_at_the_first_tenth_and_every_so_many(frames, expected):
    assert endurance.breaks_of(frames, every=15) == expected


@pytest.mark.parametrize(
    "option", [["--frames", "0"], ["--every", "x"], ["--objects", "9"]]
)
def test_numbers_must_make_sense(option, capsys):
    with pytest.raises(SystemExit):
        endurance.main(option)
    assert option[0] in capsys.readouterr().err
