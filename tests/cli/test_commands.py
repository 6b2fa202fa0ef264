from __future__ import annotations

import argparse
import json
import logging

import numpy as np
import pytest
import tifffile
import zarr
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels, write_stack

from napari_sam_decoder.cli.parser import _StoreOnce, build_parser
from napari_sam_decoder.formats import read_provenance


@pytest.mark.parametrize("suffix", [".tif", ".zarr"])
def test_points_become_labels(run, movie, points, tmp_path, suffix):
    output = tmp_path / f"labels{suffix}"
    code, out, err = run("segment", movie, "--points", points, "-o", output)
    assert code == 0
    assert "object 1: 4 frames" in out
    assert "object 70000: 4 frames" in out
    assert "embedding" in err
    assert "propagating" in err
    labels = read_labels(output)
    assert labels.shape == (FRAMES, ROWS, COLUMNS)
    assert labels.dtype == np.uint32
    assert set(np.unique(labels)) <= {0, 1, 70000}


def test_the_output_says_where_it_comes_from(run, movie, points, tmp_path, tiny_sam):
    output = tmp_path / "labels.tif"
    run("segment", movie, "--points", points, "-o", output, "--contrast", 0, 4000)
    provenance = read_provenance(output)
    assert provenance["model"] == tiny_sam.identity
    assert provenance["contrast"] == [0, 4000]
    assert provenance["prompts"][0]["points"] == [[20, 30], [5, 5]]
    assert provenance["prompts"][0]["labels"] == [True, False]
    assert provenance["version"]
    assert json.dumps(provenance)


def test_boxes_and_frames(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    code, out, _ = run(
        *("segment", movie, "-o", output, "--frames", "1:3", "--quiet"),
        *("--box", "1,10,10,30,40", "--box", "2,5,5,20,20,8"),
    )
    assert code == 0
    assert "object 1: 2 frames" in out
    assert "object 8: 2 frames" in out
    labels = tifffile.imread(output)
    assert labels.shape == (FRAMES, ROWS, COLUMNS)
    assert not labels[[0, 3]].any()


def test_the_report_has_a_row_per_object_and_frame(run, movie, points, tmp_path):
    report = tmp_path / "report.csv"
    run(
        *("segment", movie, "--points", points, "-o", tmp_path / "labels.tif"),
        *("--report", report),
    )
    assert len(report.read_text().splitlines()) == 1 + 2 * FRAMES


def test_other_objects_stay_in_the_output(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    write_stack(output, np.full((FRAMES, ROWS, COLUMNS), 5, np.uint8))
    code, _, _ = run("segment", movie, "-o", output, "--box", "0,10,10,30,40,6")
    assert code == 0
    assert (tifffile.imread(output) == 5).all()


def test_an_object_that_is_there_is_not_overwritten(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    write_stack(output, np.full((FRAMES, ROWS, COLUMNS), 5, np.uint8))
    before = output.read_bytes()
    box = ("--box", "0,10,10,30,40,5")
    assert "already has object 5" in complaint_of(
        run("segment", movie, "-o", output, *box)
    )
    assert output.read_bytes() == before
    code, _, _ = run("segment", movie, "-o", output, *box, "--replace")
    assert code == 0
    assert not (tifffile.imread(output) == 5).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--points", "nowhere.csv"], "nowhere.csv"),
        ([], "give --points, --box, --lasso, --scribbles or --masks"),
        (["--box", "9,1,1,5,5"], "frames 0 to 3"),
        (["--box", "0,100,100,200,200"], "outside the picture"),
        (["--box", "0,1,1,5"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0,1,1,5,x"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0,1,1,5,1_0"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0.0,1,1,5,5"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0,1,1,5,5,1,2"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0,1,1,nan,5"], "FRAME,ROW,COL,ROW,COL"),
        (["--box", "0,1,1,5,5,0"], "ids start at 1"),
        (["--box", "0,1,1,5,5,4294967296"], "above 4294967295"),
        (["--box", "0,1,1,5,5", "--box", "0,9,9,15,15"], "object 1 has 2 boxes on fra"),
        (["--box", "0,1,1,5,5", "--frames", "2:9"], "are not in movie.tif"),
        (["--box", "0,1,1,5,5", "--frames", "0:4:2"], "is not A:B"),
        (["--box", "0,1,1,5,5", "--frames", "0:1_0"], "is not A:B"),
        (["--box", "0,1,1,5,5", "--frames", "3:1"], "are not in movie.tif"),
        (["--box", "0,1,1,5,5", "--frames", "0:2", "--frames", "2:4"], "given twice"),
        (["--box", "0,1,1,5,5", "--axes", "TYX", "--axes", "ZYX"], "given twice"),
        (["--box", "0,1,1,5,5", *["--contrast", "1", "2"] * 2], "given 2 times"),
        (["--box", "0,1,1,5,5", "-o", "other.tif"], "given twice"),
        (["--box", "0,1,1,5,5", "--stabilise", "nan"], "'nan' is not a number"),
        (["--box", "0,1,1,5,5", "--contrast", "1", "inf"], "'inf' is not a number"),
        (["--box", "0,1,1,5,5", "--frames", "2"], "is not A:B"),
        (["--box", "0,1,1,5,5", "--frames", "-2:"], "'-2:' is not A:B"),
        (["--box", "0,1,1,5,5", "--frames", "a:b"], "is not A:B"),
        (["--box", "0,1,1,5,5", "--frames", "2:4"], "outside the requested frames 2:4"),
        (["--box", "0,1,1,5,5", "--axes", "TYXC"], "do not fit"),
        (["--box", "0,1,1,5,5", "--contrast", "9", "3"], "low < high"),
    ],
)
def test_mistakes_end_with_one_line_and_leave_nothing(
    run, movie, tmp_path, arguments, message
):
    before = set(tmp_path.iterdir())
    output = tmp_path / "labels.tif"
    assert message in complaint_of(run("segment", movie, "-o", output, *arguments))
    left_over = set(tmp_path.iterdir()) - before - {tmp_path / "default-cache"}
    assert not left_over


def test_every_option_is_a_list_or_refuses_to_be_given_twice():
    """Nothing that is typed is dropped without a word."""
    for parser in every_parser(build_parser()):
        for action in parser._actions:
            assert isinstance(action, LOSES_NOTHING), action


LOSES_NOTHING = (
    _StoreOnce,
    argparse._AppendAction,
    argparse._ExtendAction,
    argparse._StoreTrueAction,
    argparse._HelpAction,
    argparse._VersionAction,
    argparse._SubParsersAction,
)


def every_parser(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from every_parser(inner)


def test_tables_add_up(run, movie, points, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text("axis-0,axis-1,axis-2,object_id\n3,30,50,2\n0,21,31,1\n")
    output = tmp_path / "labels.tif"
    code, out, _ = run(
        *("segment", movie, "--points", points, "--points", more, "-o", output),
        "--quiet",
    )
    assert code == 0
    assert [f"object {key}:" in out for key in (1, 2, 70000)] == [True] * 3
    noted = read_provenance(output)["prompts"]
    assert noted[0]["points"] == [[20, 30], [5, 5], [21, 31]]


def test_tables_that_contradict_each_other_are_refused(run, movie, tmp_path):
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for number, path in enumerate(paths, 1):
        path.write_text(f"axis-0,axis-1,axis-2,hypothesis\n0,20,30,{number}\n")
    tables = [part for path in paths for part in ("--points", path)]
    asked = ("segment", movie, "-o", tmp_path / "labels.tif", *tables)
    assert "different hypotheses on frame 0" in complaint_of(run(*asked))
    again = complaint_of(run(*asked, "--points", paths[0]))
    assert "a.csv is given 2 times" in again


def test_tables_are_not_overwritten(run, movie, points, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text("axis-0,axis-1,axis-2,object_id\n3,30,50,2\n")
    asked = ("segment", movie, "--points", points, "--points", more)
    for table in (points, more):
        out = ("-o", tmp_path / "labels.tif", "--report", table)
        assert "would overwrite" in complaint_of(run(*asked, *out))


def test_new_objects_widen_what_was_there(run, movie, points, tmp_path):
    output = tmp_path / "labels.tif"
    existing = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    existing[:, 40:] = 200
    write_stack(output, existing)
    code, _, _ = run("segment", movie, "--points", points, "-o", output, "--quiet")
    assert code == 0
    labels = tifffile.imread(output)
    assert labels.dtype == np.uint32
    assert (labels[:, 40:] == 200).all()
    assert set(np.unique(labels)) <= {0, 1, 200, 70000}


class Unexpected:
    """A network that fails in a way that nobody has thought of."""

    def __init__(self, error):
        self.error = error

    def __call__(self, *_, **__):
        raise self.error


@pytest.mark.parametrize(
    "error", [KeyError("lost"), OSError(24, "Too many open files"), RuntimeError("?")]
)
def test_what_is_not_the_users_is_not_dressed_up_as_such(
    run, movie, tmp_path, monkeypatch, error
):
    load = "napari_sam_decoder.weights.registry.load_sam"
    monkeypatch.setattr(load, Unexpected(error))
    asked = ("segment", movie, "--box", "0,1,1,9,9", "-o", tmp_path / "labels.tif")
    code, out, err = run(*asked)
    assert (code, out) == (3, "")
    (line,) = err.splitlines()
    assert f"unexpected error: {type(error).__name__}: " in line
    assert "--verbose" in line
    for verbose in ((*asked, "--verbose"), ("--verbose", *asked)):
        code, _, err = run(*verbose)
        assert code == 3
        assert "Traceback (most recent call last)" in err
        assert "in __call__" in err


def test_verbose_says_where_a_mistake_came_up(run, movie, tmp_path):
    asked = ("segment", movie, "--box", "9,1,1,9,9", "-o", tmp_path / "labels.tif")
    assert len(run(*asked)[2].splitlines()) == 1
    code, _, err = run(*asked, "--verbose")
    assert code == 2
    assert "error: object 1 has a prompt on frame 9" in err
    assert "Traceback (most recent call last)" in err


def test_verbose_tells_what_is_done_and_leaves_no_trace(run, movie, tmp_path):
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    handlers = list(logging.getLogger().handlers)
    box = ("--box", "0,1,1,9,9", "--quiet")
    asked = ("segment", movie, *box, "-o", tmp_path / "labels.tif")
    assert run(*asked)[2] == ""
    err = run(*asked, "--verbose", "--replace")[2]
    for told in ("embeddings are kept in", "propagating objects (1,)", "wrote"):
        assert told in err
    assert {name: logging.getLogger(name).level for name in LOGGERS} == before
    assert logging.getLogger().handlers == handlers


LOGGERS = ("napari_sam_decoder", "tifffile")


def test_every_command_can_tell_more(run):
    code, out, _ = run("models", "list", "--verbose")
    assert (code, "bundled" in out) == (0, True)
    assert run("cache", "--verbose", "list")[0] == 0


def test_a_missing_movie_is_named(run, tmp_path):
    line = complaint_of(
        run("segment", "no.tif", "-o", tmp_path / "l.tif", "--box", "0,1,1,5,5")
    )
    assert "no.tif" in line


def test_an_unknown_column_is_named(run, movie, tmp_path):
    points = tmp_path / "points.csv"
    points.write_text("index,axis-0,axis-1,axis-2,flavour\n0,0,1,1,sweet\n")
    line = complaint_of(
        run("segment", movie, "--points", points, "-o", tmp_path / "l.tif")
    )
    assert "flavour" in line


def test_an_output_of_unknown_kind_is_refused_before_any_work(run, movie, tmp_path):
    line = complaint_of(
        run("segment", movie, "-o", tmp_path / "labels.xyz", "--box", "0,1,1,5,5")
    )
    assert ".zarr" in line


@pytest.mark.parametrize(
    ("output", "report"),
    [
        ("movie.tif", None),
        ("points.csv", None),
        ("labels.tif", "movie.tif"),
        ("labels.tif", "points.csv"),
        ("labels.tif", "labels.tif"),
        ("labels.tif", "nowhere/report.csv"),
        ("nowhere/labels.tif", None),
    ],
)
def test_inputs_are_never_overwritten(run, movie, points, output, report):
    before = {path: path.read_bytes() for path in (movie, points)}
    folder = movie.parent
    arguments = ["segment", movie, "--points", points, "-o", folder / output]
    arguments += ["--report", folder / report] if report else []
    complaint_of(run(*arguments, "--replace"))
    assert {path: path.read_bytes() for path in before} == before
    assert not (folder / "labels.tif").exists()


def test_nothing_is_written_into_a_folder_of_pictures(run, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for frame in range(3):
        tifffile.imwrite(folder / f"{frame}.tif", np.zeros((8, 9), np.uint8))
    box = ("--box", "0,1,1,5,5")
    complaint_of(run("segment", folder, "-o", folder / "9.tif", *box))
    assert len(list(folder.iterdir())) == 3


def test_a_group_of_images_is_not_replaced(run, movie, tmp_path):
    group = zarr.create_group(tmp_path / "image.zarr")
    group.create_array("0", shape=(2, 3), dtype="uint8")
    box = ("--box", "0,1,1,5,5")
    complaint_of(
        run("segment", movie, "-o", tmp_path / "image.zarr", *box, "--replace")
    )
    assert "0" in zarr.open_group(tmp_path / "image.zarr", mode="r")


def test_labels_of_another_movie_are_not_added_to(run, movie, tmp_path):
    output = tmp_path / "labels.tif"
    write_stack(output, np.zeros((2, 30, 30), np.uint8))
    line = complaint_of(run("segment", movie, "-o", output, "--box", "0,1,1,5,5"))
    assert "labels.tif has labels of shape (2, 30, 30)" in line
    output.write_text("no picture at all")
    line = complaint_of(run("segment", movie, "-o", output, "--box", "0,1,1,5,5"))
    assert "exists but cannot be added to" in line


def test_a_movie_of_one_pixel_has_labels_of_one_pixel(run, tmp_path):
    np.save(tmp_path / "dot.npy", np.full((2, 1, 1), 7, np.uint8))
    (tmp_path / "points.csv").write_text("axis-0,axis-1,axis-2\n0,0,0\n")
    output = tmp_path / "labels.tif"
    code, _, _ = run(
        *("segment", tmp_path / "dot.npy", "--points", tmp_path / "points.csv"),
        *("-o", output),
    )
    assert code == 0
    assert tifffile.imread(output).shape == (2, 1, 1)


def test_ctrl_c_leaves_nothing_half_written(
    run, movie, tmp_path, tiny_sam, monkeypatch
):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tiny_sam, "decode", interrupt)
    output = tmp_path / "labels.tif"
    code, _, err = run("segment", movie, "-o", output, "--box", "0,1,1,30,30")
    assert code == 130
    assert "stopped" in err
    assert {path.name for path in tmp_path.iterdir()} == {"movie.tif", "default-cache"}


def test_embedding_ahead_counts_what_it_did(run, movie, tmp_path):
    cache = tmp_path / "cache.zarr"
    assert run("embed", movie, "--cache", cache, "--frames", "0:3")[:2] == (
        0,
        "3 frames embedded, 0 in the cache already\n",
    )
    _, out, _ = run("embed", movie, "--cache", cache)
    assert out == "1 frame embedded, 3 in the cache already\n"


def test_embedding_without_a_cache_is_no_use(run, movie):
    assert "leave --cache out" in complaint_of(run("embed", movie, "--cache", "none"))


def test_models_are_listed(run):
    code, out, _ = run("models")
    assert code == 0
    assert "mobile_sam" in out
    assert "bundled" in out
    assert "Cells and nuclei in light microscopy" in out
    assert "licence unknown, see https://bioimage.io/#/?id=diplomatic-bug" in out
    assert "375 MB" in out


def test_a_model_is_downloaded(run, publisher, models_folder):
    assert "downloadable" in listed(run, "toy")
    publisher.answer = "broken"
    assert "try again" in complaint_of(run("models", "download", "toy", "--quiet"))
    publisher.answer = "whole"
    code, out, _ = run("models", "download", "toy", "--quiet")
    assert code == 0
    assert out == f"{models_folder / 'toy.safetensors'}\n"
    assert listed(run, "toy").endswith("here")


def listed(run, name):
    _, out, _ = run("models")
    [line] = [line for line in out.splitlines() if line.startswith(f"{name} ")]
    return line


def test_an_unknown_model_cannot_be_downloaded(run):
    assert "nothing" in complaint_of(run("models", "download", "nothing"))


def test_a_cache_can_be_looked_after(run, movie, tmp_path):
    run("embed", movie)
    _, listed, _ = run("cache", "list")
    assert f"{FRAMES} / {FRAMES} frames" in listed
    path = next((tmp_path / "default-cache").rglob("*.zarr"))
    info = run("cache", "info", path)[1]
    assert "tiny seed 0" in info
    assert all(line.partition(":")[2] for line in info.splitlines()[1:])
    assert run("cache", "verify", path, "--quiet")[:2] == (
        0,
        f"{FRAMES} ok, 0 corrupt, 0 absent\n",
    )
    code, out, _ = run("cache", "clear", "--all")
    assert code == 0
    assert str(path) in out
    assert not path.exists()


def test_damage_is_reported(run, movie, tmp_path):
    cache = tmp_path / "cache.zarr"
    run("embed", movie, "--cache", cache)
    (chunk,) = cache.glob("frames/c.2.*")
    broken = bytearray(chunk.read_bytes())
    broken[100] ^= 1
    chunk.write_bytes(broken)
    code, out, err = run("cache", "verify", cache, "--quiet")
    assert (code, out) == (1, f"{FRAMES - 1} ok, 1 corrupt, 0 absent\n")
    assert "corrupt frames 2" in err


def test_a_complete_cache_can_be_compacted(run, movie, tmp_path):
    cache = tmp_path / "cache.zarr"
    run("embed", movie, "--cache", cache, "--frames", "0:3", "--quiet")
    assert "embed the rest" in complaint_of(run("cache", "compact", cache, "--quiet"))
    run("embed", movie, "--cache", cache, "--quiet")
    code, out, _ = run("cache", "compact", cache, "--quiet")
    assert (code, out.split(",")[0]) == (0, "4 frames packed")
    assert "4 / 4 frames, 4 packed" in run("cache", "info", cache)[1]
    assert run("embed", movie, "--cache", cache, "--quiet")[:2] == (
        0,
        "0 frames embedded, 4 in the cache already\n",
    )


def test_embeddings_can_be_stored_as_float16(run, movie, tmp_path):
    cache = tmp_path / "cache.zarr"
    run("embed", movie, "--cache", cache, "--storage", "float16", "--quiet")
    assert "storage: float16" in run("cache", "info", cache)[1]


def test_a_cache_that_is_none_is_refused(run, tmp_path):
    assert str(tmp_path) in complaint_of(run("cache", "info", tmp_path))


def test_precision_and_decoder_reach_the_network(run, movie, tiny_sam, monkeypatch):
    asked = {}

    def load(_, **options):
        asked.update(options)
        return tiny_sam

    monkeypatch.setattr("napari_sam_decoder.weights.registry.load_sam", load)
    options = "--precision", "bfloat16", "--decoder", "mine.safetensors", "--quiet"
    code, _, _ = run("embed", movie, *options)
    assert code == 0
    expected = {"precision": "bfloat16", "decoder": "mine.safetensors"}
    assert asked == {"device": "auto", **expected}
