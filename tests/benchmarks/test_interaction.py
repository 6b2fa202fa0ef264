from __future__ import annotations

import json

import interaction
import numpy as np
import pytest
import tifffile
from interaction_parts.person import PROTOCOLS

COMPARED = ["sam", "ours"]


@pytest.fixture
def folder(tmp_path, pixels, truth, tiny_sam, monkeypatch):
    monkeypatch.setattr(interaction, "load_sam", lambda **_: tiny_sam)
    place = tmp_path / "squares"
    place.mkdir()
    tifffile.imwrite(place / "image.tif", pixels)
    tifffile.imwrite(place / "masks.tif", truth)
    return place


def run(folder, *options):
    out = folder.parent / "scores.json"
    interaction.main([str(folder), "--json", str(out), *options])
    return json.loads(out.read_text())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_both_methods_are_scored(protocol, folder, capsys):
    content = run(folder, "--protocol", protocol, "--frames", "3")
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 1 + 2 * len(COMPARED)
    assert [row["method"] for row in content["sequences"]] == COMPARED
    assert list(content["means"]) == COMPARED
    for row in content["sequences"]:
        assert (row["name"], row["protocol"]) == ("squares", protocol)
        assert row["objects"] == 5, "frame 0 shows one, frames 2 and 5 two each"
        assert list(row["iou"]) == ["1", "2", "3", "5", "10"]
        assert all(0 <= iou <= 100 for iou in row["iou"].values())
        assert 1 <= row["noc80"] <= row["noc85"] <= row["noc90"] <= 11
        assert 0 <= row["worse"] <= 100
        assert row["ms"] > 0


def test_fewer_objects_and_frames_can_be_chosen(folder):
    options = ["--protocol", "clicks", "--method", "sam", "--frames", "2"]
    (row,) = run(folder, *options, "--objects", "1")["sequences"]
    assert (row["method"], row["objects"]) == ("sam", 2)


def test_embeddings_are_kept(folder, tiny_sam, monkeypatch):
    cache = folder.parent / "cache"
    options = ["--protocol", "box", "--frames", "2", "--objects", "1"]
    before = run(folder, *options, "--cache", str(cache))
    assert (cache / "squares.zarr").exists()
    monkeypatch.setattr(tiny_sam, "encode", None)
    after = run(folder, *options, "--cache", str(cache))
    assert [row["iou"] for row in after["sequences"]] == [
        row["iou"] for row in before["sequences"]
    ]


def test_another_decoder_can_be_chosen(folder, tiny_sam, monkeypatch):
    chosen = []
    monkeypatch.setattr(
        interaction, "load_sam", lambda **asked: chosen.append(asked) or tiny_sam
    )
    options = ["--protocol", "clicks", "--frames", "1", "--objects", "1"]
    run(folder, *options)
    run(folder, *options, "--decoder", "mine.safetensors")
    assert [asked["decoder"] for asked in chosen] == ["auto", "mine.safetensors"]


def test_a_sequence_without_objects_is_left_out(folder, capsys, truth):
    tifffile.imwrite(folder / "masks.tif", np.zeros_like(truth))
    assert run(folder, "--protocol", "box") == {"sequences": [], "means": {}}
    assert "no object" in capsys.readouterr().out


def test_mistakes_are_told_in_one_line(folder):
    (folder / "masks.tif").unlink()
    with pytest.raises(SystemExit, match=r"error: .*masks\.tif"):
        run(folder, "--protocol", "box")


@pytest.mark.parametrize("option", ["--objects", "--frames", "--threads"])
def test_numbers_must_make_sense(folder, option):
    with pytest.raises(SystemExit):
        run(folder, "--protocol", "box", option, "0")
