"""A movie of its own at each position of a file with more axes, in one labels file."""

from __future__ import annotations

import csv
import re
import shutil

import numpy as np
import pytest
import tifffile
import zarr
from distributed import LocalCluster
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, read_labels

from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.jobs import MovieOptions, SegmentJob, segment_each
from napari_sam_decoder.prompts import PromptSet
from napari_sam_decoder.session import Session
from tiny_network import load_tiny_for_any_name

PLANES = 3


@pytest.fixture
def pixels():
    rng = np.random.default_rng(1)
    shape = FRAMES, PLANES, 2, ROWS, COLUMNS
    return rng.integers(0, 4000, shape).astype(np.uint16)


@pytest.fixture
def five(tmp_path, pixels):
    """T, Z, C, Y, X."""
    metadata = {"axes": "TZCYX", "PhysicalSizeZ": 2.0, "PhysicalSizeX": 0.5}
    path = tmp_path / "five.ome.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=metadata)
    return path


@pytest.fixture
def table(tmp_path):
    """Points of two objects in plane 0 and of one in plane 2: T, Z, row, column."""
    path = tmp_path / "points.csv"
    path.write_text(
        "index,axis-0,axis-1,axis-2,axis-3,label,object_id\n"
        "0,0,0,20,30,1,1\n"
        "1,2,0,30,50,1,2\n"
        "2,1,2,24,10,1,300\n"
    )
    return path


@pytest.fixture
def segment(run, five, table, tmp_path):
    def segment_(*more, points=table, output=tmp_path / "labels.zarr"):
        given = "--points", points, "-o", output, "--quiet", "--channel", "1"
        return run("segment", five, *given, *more), output

    return segment_


@pytest.mark.parametrize("suffix", ["zarr", "tif"])
def test_all_planes_in_one_file(segment, tmp_path, suffix):
    (code, out, err), output = segment("--each", "z", output=tmp_path / f"all.{suffix}")

    assert (code, err) == (0, "")
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        *("Z=0", "Z=0", "Z=2", "labels")
    ]
    labels = read_labels(output)
    assert labels.shape == (FRAMES, PLANES, ROWS, COLUMNS)
    assert not labels[:, 1].any()
    for plane in (0, 2):
        done, alone = segment("--at", f"z={plane}", "--replace")
        assert done[0] == 0
        expected = read_labels(alone)
        assert expected.any()
        np.testing.assert_array_equal(labels[:, plane], expected)
    noted = read_provenance(output)
    assert (noted["axes"], noted["scale"]) == ("TZYX", [1.0, 2.0, 1.0, 0.5])
    assert [one["at"] for one in noted["positions"]] == [{"Z": 0}, {"Z": 2}]
    assert [len(one["prompts"]) for one in noted["positions"]] == [2, 1]


def test_the_library_gives_the_same(segment, five, pixels, table, tmp_path, tiny_sam):
    _, output = segment("--each", "z")
    expected = read_labels(output)

    movie = MovieOptions(five, channel=1, each=("z",), cache=None)
    job = SegmentJob(movie, PromptSet(), tmp_path / "again.zarr", tables=(table,))
    reports = segment_each(job, tiny_sam)

    assert list(reports) == ["Z=0", "Z=2"]
    np.testing.assert_array_equal(read_labels(job.output), expected)
    for plane in (0, 2):
        at = {"z": plane}
        own = replace_movie(movie, at)
        (prompts,) = (
            SegmentJob(own, PromptSet(), "x.zarr", tables=(table,))
            .with_prompts_of_tables()
            .prompts,
        )
        with Session(pixels, axes="TZCYX", channel=1, at=at, model=tiny_sam) as session:
            for prompt in prompts:
                session.add_prompt(prompt)
            for result in session.propagate():
                if result.is_final:
                    np.testing.assert_array_equal(
                        result.labels, expected[result.frame, plane]
                    )


def replace_movie(movie, at):
    return MovieOptions(movie.path, channel=movie.channel, at=at, cache=None)


def test_through_depth_at_each_time(segment):
    done, output = segment("--each", "t")
    assert done[0] == 0, done
    labels = zarr.open(output)
    assert (labels.shape, labels.attrs["axes"]) == (
        (FRAMES, PLANES, ROWS, COLUMNS),
        "TZYX",
    )
    filled = [bool(labels[time].any()) for time in range(FRAMES)]
    assert filled[:3] == [True] * 3
    assert not filled[3]


def test_every_plane_a_picture(segment):
    done, output = segment("--each", "t", "--each", "z")
    assert done[0] == 0, done
    labels = read_labels(output)
    places = set(zip(*np.nonzero(labels.any((2, 3))), strict=True))
    assert {(int(t), int(z)) for t, z in places} <= {(0, 0), (2, 0), (1, 2)}
    assert places


def test_a_table_of_a_movie_counts_in_each_plane(segment, points):
    done, output = segment("--each", "z", points=points)
    assert done[0] == 0, done
    labels = read_labels(output)
    assert [bool((labels[:, plane] == 1).any()) for plane in range(PLANES)]
    done, alone = segment("--at", "z=1", "--replace", points=points)
    np.testing.assert_array_equal(labels[:, 1], read_labels(alone))


def test_what_is_looked_for_has_ids_of_its_own(run, five, tmp_path):
    output = tmp_path / "labels.zarr"
    given = "-o", output, "--quiet", "--channel", "1", "--auto"
    done = run("segment", five, *given, "--each", "z", "--frames", "0:2")
    assert done[0] == 0, done
    labels = read_labels(output)
    found = [set(np.unique(labels[:, plane])) - {0} for plane in range(PLANES)]
    assert len(set.union(*found)) == sum(map(len, found))


@pytest.mark.parametrize("is_there_before", [False, True])
def test_what_is_found_gets_higher_ids_than_what_is_known_at_later_positions(
    segment, tmp_path, monkeypatch, is_there_before
):
    points = tmp_path / "later.csv"
    points.write_text("axis-0,axis-1,axis-2,axis-3,object_id\n1,2,24,10,9\n")
    given = "--each", "z", "--frames", "0:2"
    if is_there_before:
        _, output = segment(*given, points=points)
        assert (read_labels(output)[:, 2] == 9).any()
        points.write_text("axis-0,axis-1,axis-2,axis-3,object_id\n1,1,5,5,1\n")
    above = []

    def find(_session, _frame, _occupied, highest, _progress):
        above.append(highest)
        return []

    monkeypatch.setattr("napari_sam_decoder.jobs.segment.found_prompts", find)
    done, _ = segment(*given, "--auto", points=points)
    assert done[0] == 0, done
    assert above == [9] * PLANES


def test_objects_that_are_there_are_kept(segment, tmp_path):
    _, output = segment("--each", "z")
    before = read_labels(output)
    more = tmp_path / "more.csv"
    more.write_text("axis-0,axis-1,axis-2,axis-3,object_id\n1,1,5,5,7\n")

    done, _ = segment("--each", "z", points=more)

    assert done[0] == 0, done
    after = read_labels(output)
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
    noted = read_provenance(output)["positions"]
    prompts = {str(one["at"]): len(one["prompts"]) for one in noted}
    assert prompts == {"{'Z': 0}": 2, "{'Z': 2}": 1, "{'Z': 1}": 1}
    assert "already has object 7" in complaint_of(
        segment("--each", "z", points=more)[0]
    )


def test_a_report_names_the_position(segment, tmp_path):
    report = tmp_path / "report.csv"
    assert segment("--each", "z", "--report", report)[0][0] == 0
    with report.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["position", "object_id", "frame"]
    assert {(row["position"], row["object_id"]) for row in rows} == {
        *(("Z=0", "1"), ("Z=0", "2"), ("Z=2", "300"))
    }


def test_all_planes_are_embedded(run, five, tmp_path):
    given = "embed", five, "--channel", "0", "--each", "z", "--quiet"
    done = run(*given, "--cache", tmp_path / "cache")
    assert done[1].startswith(f"{PLANES * FRAMES} frames embedded, 0 in")
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert names == ["Z=0", "Z=1", "Z=2"]
    done = run(*given, "--cache", tmp_path / "cache")
    assert done[1].startswith("0 frames embedded")
    first = "embed", five, "--channel", "0", "--at", "z=0", "--quiet"
    done = run(*first, "--cache", tmp_path / "cache" / "Z=0")
    assert done[1].startswith("0 frames embedded")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--each", "z", "--at", "z=1"), "either in --at or in --each, and once"),
        (("--each", "z", "--each", "z"), "either in --at or in --each, and once"),
        (("--each", "w"), "there is no axis W"),
        (("--each", "c"), "choose it with --channel"),
        (("--each", "x"), "neither row nor column"),
    ],
)
def test_what_cannot_be_done_at_each_position(segment, more, message, monkeypatch):
    done, output = segment(*more)
    assert message in complaint_of(done)
    assert not output.exists()


def test_points_at_no_position(segment, tmp_path):
    points = tmp_path / "far.csv"
    points.write_text("axis-0,axis-1,axis-2,axis-3\n0,7,5,5\n")
    done, _ = segment("--each", "z", points=points)
    assert "no prompt at any position" in complaint_of(done)
    points.write_text("axis-0,axis-1,axis-2,axis-3\n9,1,5,5\n")
    done, _ = segment("--each", "z", points=points)
    assert "frame 9" in complaint_of(done)


@pytest.fixture
def batch(run, five, table, tmp_path):
    folder, tables = tmp_path / "movies", tmp_path / "tables"
    for one in (folder, tables):
        one.mkdir()
    shutil.copy(five, folder / "five.tif")
    shutil.copy(table, tables / "five.csv")
    asked = "--points-from", tables / "{name}.csv", "-o", tmp_path / "out", "--quiet"

    def batch_(*more):
        return run("batch", folder, *asked, "--channel", "1", *more)

    return batch_


def test_a_batch_does_each_position(segment, batch, tmp_path):
    done, output = segment("--each", "z")
    assert done[0] == 0
    expected = read_labels(output)

    code, out, err = batch("--each", "z")

    assert (code, err) == (0, "")
    assert out.startswith("five: 3 objects")
    results = tmp_path / "out"
    np.testing.assert_array_equal(read_labels(results / "labels/five.tif"), expected)
    with (results / "verdicts/five.csv").open() as file:
        assert {row["position"] for row in csv.DictReader(file)} == {"Z=0", "Z=2"}
    page = (results / "index.html").read_text(encoding="utf-8")
    assert re.search(r"frame \d · Z=[02], (first|middle|last)<", page)
    assert "1 kept" in batch("--each", "z")[1]
    table = tmp_path / "tables/five.csv"
    table.write_text(table.read_text() + "3,0,1,9,9,1,5\n")
    assert "again, with another tables" in batch("--each", "z")[1]


def test_a_worker_does_all_positions(segment, batch, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "napari_sam_decoder.weights.registry.load_sam", load_tiny_for_any_name
    )
    done, output = segment("--each", "z")
    assert done[0] == 0
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        done = batch("--each", "z", "--scheduler", cluster.scheduler_address)
    assert (done[0], done[2]) == (0, ""), done
    assert "1 movie done, 0 kept, 0 failed" in done[1]
    found = read_labels(tmp_path / "out/labels/five.tif")
    np.testing.assert_array_equal(found, read_labels(output))


def test_a_batch_takes_one_position(segment, batch, tmp_path):
    done, output = segment("--at", "z=2")
    assert done[0] == 0
    expected = read_labels(output)
    assert batch("--at", "z=2")[0] == 0
    found = read_labels(tmp_path / "out/labels/five.tif")
    np.testing.assert_array_equal(found, expected)


def test_a_batch_with_one_table_of_more_axes(run, batch, tmp_path):
    batch("--each", "z")
    table = tmp_path / "all.csv"
    table.write_text("movie,axis-0,axis-1,axis-2,axis-3\nfive,0,0,20,30\n")
    done = run(
        *("batch", tmp_path / "movies", "--points-from", table),
        *("-o", tmp_path / "other", "--each", "z", "--channel", "1"),
    )
    assert "give such a table for each movie" in complaint_of(done)
