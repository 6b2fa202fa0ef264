from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import tracking
from tracking_parts.methods import USUAL
from tracking_parts.report import CORRECTED, MEASURES

from napari_sam_decoder import Session


@pytest.fixture
def folder(tmp_path, pixels, truth, tiny_sam, monkeypatch):
    monkeypatch.setattr(tracking, "load_sam", lambda **_: tiny_sam)
    place = tmp_path / "squares"
    place.mkdir()
    tifffile.imwrite(place / "image.tif", pixels)
    tifffile.imwrite(place / "masks.tif", truth)
    return place


def run(folder, *options):
    out = folder.parent / "scores.json"
    tracking.main([str(folder), "--json", str(out), *options])
    return json.loads(out.read_text())


@pytest.mark.parametrize("init", ["mask", "click1", "click3", "box"])
def test_all_methods_are_scored(init, folder, capsys):
    content = run(folder, "--init", init)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 2 * len(USUAL)
    assert [row["method"] for row in content["sequences"]] == list(USUAL)
    assert list(content["means"]) == list(USUAL)
    for row in content["sequences"]:
        assert (row["name"], row["init"], row["objects"]) == ("squares", init, 2)
        assert 0 <= row["JF"] <= 100
        assert row["JF"] == pytest.approx((row["J"] + row["F"]) / 2)
        assert row["dice"] is None
        assert row["seconds_embed"] > 0
        has_own_pick = init == "click1" and row["method"] == "full"
        assert (row["JF_auto"] is not None) == has_own_pick
        assert content["means"][row["method"]]["JF"] == row["JF"]


def test_volumes_are_scored_from_their_largest_slice(folder, capsys):
    options = [
        "--init",
        "box",
        "--method",
        "full",
        "--start",
        "largest",
        "--objects",
        "1",
    ]
    (row,) = run(folder, *options)["sequences"]
    assert row["objects"] == 1
    assert 0 <= row["dice"] <= 100
    assert "Dice" in capsys.readouterr().out


def test_corrections_are_those_of_the_program(folder):
    options = [
        "--init",
        "box",
        "--method",
        "static",
        "full",
        "--corrections",
        "--rounds",
        "0",
        "2",
    ]
    static, full = run(folder, *options)["sequences"]
    assert static["corrections"] is None
    assert full["corrections"].keys() == {"0", "2"}
    assert full["corrections"]["0"] == full["JF"]
    assert full["recomputed"].keys() == {"1", "2"}


def test_dice_of_volumes_is_scored_after_corrections(folder, capsys):
    options = ["--init", "box", "--method", "full", "--start", "largest"]
    corrections = ["--corrections", "--rounds", "0", "1"]
    (row,) = run(folder, *options, *corrections)["sequences"]
    assert row["corrections_dice"].keys() == {"0", "1"}
    assert row["corrections_dice"]["0"] == row["dice"]
    assert "Dice 1" in capsys.readouterr().out


def test_corrections_may_be_boxes(folder, monkeypatch):
    corrected = []

    class Spying(Session):
        def correct(self, prompts, labels, frames=None):
            corrected.extend(prompts)
            return super().correct(prompts, labels, frames)

    monkeypatch.setattr(tracking, "Session", Spying)
    options = ["--init", "click1", "--method", "full", "--corrections"]
    run(folder, *options, "--rounds", "1", "--protocol", "box")
    assert corrected
    assert all(prompt.box and not prompt.points for prompt in corrected)


def test_fixed_frames_have_their_true_mask(folder, truth, monkeypatch):
    corrected = []

    class Spying(Session):
        def correct(self, prompts, labels, frames=None):
            corrected.append(list(prompts))
            return super().correct(prompts, labels, frames)

    monkeypatch.setattr(tracking, "Session", Spying)
    options = ["--init", "click1", "--method", "full", "--fix", "2"]
    (row,) = run(folder, *options)["sequences"]
    assert row["corrections"].keys() == {"0", "1", "2"}
    (first, *_) = corrected
    for prompt in first:
        painted = truth[prompt.frame] == prompt.object_id
        np.testing.assert_array_equal(prompt.mask.to_array(), painted)


def test_outlines_are_as_steady_as_was_asked(folder, monkeypatch):
    opened = []

    def open_session(*args, **options):
        opened.append(Session(*args, **options))
        return opened[-1]

    monkeypatch.setattr(tracking, "Session", open_session)
    run(folder, "--init", "box", "--method", "static", "--stabilise", "0.5")
    assert [session.settings.stabilise for session in opened] == [0.5]


def test_embeddings_are_kept(folder):
    cache = folder.parent / "cache"
    options = ["--init", "box", "--method", "static", "--cache", str(cache)]
    assert run(folder, *options)["sequences"][0]["seconds_embed"] > 0
    assert (cache / "squares.zarr").exists()
    assert run(folder, *options)["sequences"][0]["seconds_embed"] is None


def test_a_sequence_without_objects_is_left_out(folder, capsys, truth):
    tifffile.imwrite(folder / "masks.tif", np.zeros_like(truth))
    assert run(folder, "--init", "box") == {"sequences": [], "means": {}}
    assert "no object" in capsys.readouterr().out


def test_mistakes_are_told_in_one_line(folder):
    (folder / "masks.tif").unlink()
    with pytest.raises(SystemExit, match=r"error: .*masks\.tif"):
        run(folder, "--init", "box")


@pytest.mark.parametrize("option", [["--objects", "0"], ["--rounds", "-1"]])
def test_numbers_must_make_sense(folder, option):
    with pytest.raises(SystemExit):
        run(folder, "--init", "box", *option)


def test_rows_have_all_keys(folder):
    (row,) = run(folder, "--init", "box", "--method", "static")["sequences"]
    others = {"name", "method", "init", "objects"}
    assert row.keys() == {*MEASURES, *others, *CORRECTED}
