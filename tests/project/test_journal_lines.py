from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.journal_lines import (
    ProjectHeader,
    StoredOp,
    op_line,
    parse_header,
    read_header,
)
from napari_sam_decoder.project.movie_identity import MovieIdentity

MOVIE = MovieIdentity("/data/zellen µ.tif", "zellen µ", (5, 8, 9), "uint16", "ab" * 32)
HEADER = ProjectHeader(MOVIE, "mobile_sam", (1.5, 200.0))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["title", "details", "changes", "ä", '","changes":'])
OPS = st.dictionaries(NAMES, JSON).map(lambda fields: {"op": "step", **fields})


def stored(line):
    op = StoredOp.parse(line.removesuffix(b"\n"), 2)
    assert isinstance(op, StoredOp), op
    return op


@given(OPS)
def test_an_op_comes_back(op):
    found = stored(op_line(7, op))
    assert (found.number, found.kind, found.line_number) == (7, "step", 2)
    assert found.decode() == op
    assert found.head() == {key: op[key] for key in op if key != "changes"}


@given(OPS)
def test_changes_come_last_in_a_line_without_a_break(op):
    line = op_line(1, op)
    assert line.count(b"\n") == 1
    names = list(json.loads(line))
    assert names[:3] == ["n", "op", "crc"]
    assert "changes" not in names[:-1]


@given(OPS, st.data())
def test_any_wrong_byte_is_found(op, data):
    line = bytearray(op_line(12, op)[:-1])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= data.draw(st.integers(1, 255))
    assert isinstance(StoredOp.parse(bytes(line), 2), str)


def test_the_head_is_read_without_the_changes():
    line = op_line(3, {"op": "step", "changes": ["x"], "title": "Point added"})
    found = stored(line)
    broken = StoredOp(2, 3, "step", found.raw.replace(b'["x"]', b"?"))
    assert broken.head() == {"op": "step", "title": "Point added"}


@pytest.mark.parametrize("fields", [{}, {"changes": [1]}])
def test_a_name_within_does_not_end_the_head(fields):
    inner = {"op": "step", "details": {"a": 1, "changes": 2}, "title": "Run"}
    assert stored(op_line(3, {**inner, **fields})).head() == inner


def test_numbers_of_numpy_are_written():
    values = [np.int64(3), np.float32(0.5), np.bool_(True)]
    assert stored(op_line(1, {"op": "step", "v": values})).decode()["v"] == [
        3,
        0.5,
        True,
    ]


@pytest.mark.parametrize(
    "op",
    [
        {"op": "step", "n": 1},
        {"op": "step", "crc": 1},
        {"op": "no kind"},
        {"op": 3},
        {"op": "step", "x": object()},
    ],
)
def test_what_cannot_be_read_back_is_not_written(op):
    with pytest.raises((ValueError, TypeError)):
        op_line(1, op)


def crafted(content):
    """A line with a right checksum, as only somebody with intent can make it."""
    template = op_line(1, {"op": "step", "x": "MARK"})[:-1]
    before, _, rest = template.partition(b'"crc":"')
    before += b'"crc":"'
    after = rest[8:].replace(b'"MARK"', content)
    return before + b"%08x" % zlib.crc32(after, zlib.crc32(before)) + after


@pytest.mark.parametrize(
    "content",
    [b"[" * 200_000, b"9" * 10_000, b"\xff", b"", b'{"a":' * 100_000],
    ids=["deep list", "huge number", "no text", "nothing", "deep object"],
)
def test_hostile_json_is_damage(content):
    with pytest.raises(ProjectError, match="line 2 of the project file is damaged"):
        stored(crafted(content)).decode()


def test_a_header_comes_back():
    assert parse_header(HEADER.line(), "x") == HEADER
    without = ProjectHeader(MOVIE, "mobile_sam")
    assert parse_header(without.line(), "x") == without


def test_a_header_says_what_the_file_is():
    noted = json.loads(HEADER.line())
    assert noted["format"] == "napari-sam-decoder-project"
    assert noted["version"] == 5
    assert noted["movie"]["shape"] == [5, 8, 9]
    assert {"model", "contrast", "program", "created"} <= set(noted)


def header_with(**fields):
    return json.dumps({**HEADER.to_json(), **fields}).encode() + b"\n"


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_header_of_an_earlier_version_is_read(version):
    assert parse_header(header_with(version=version), "x") == HEADER


def test_fields_of_later_programs_are_ignored():
    assert parse_header(header_with(weather="fine"), "x") == HEADER


def test_a_newer_version_asks_for_an_update():
    with pytest.raises(ProjectError, match=r"newer version \(9\.1\); update"):
        parse_header(header_with(version=6, program="9.1"), "x")


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"version": True, "movie": None},
        {"movie": None},
        {"movie": {}},
        {"model": 3},
        {"contrast": [1]},
        {"contrast": "ab"},
        {"contrast": 7},
        {"created": None},
    ],
)
def test_a_damaged_header_is_named(fields):
    with pytest.raises(ProjectError, match=r"^x has a damaged first line .*backup"):
        parse_header(header_with(**fields), "x")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"[]\n", b"{}\n", b"[" * 100_000 + b"\n", b"\x89PNG\n", b"{" * 2**21],
)
def test_another_file_is_no_project(content, tmp_path):
    path = tmp_path / "x.samproject"
    path.write_bytes(content)
    with pytest.raises(ProjectError, match=r"x\.samproject is not a project"):
        read_header(path)


def test_a_missing_project_names_the_path(tmp_path):
    with pytest.raises(ProjectError, match=r"nowhere.*check the path"):
        read_header(tmp_path / "nowhere")
