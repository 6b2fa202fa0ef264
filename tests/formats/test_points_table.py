"""Tables of points, good and bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam_decoder.errors import FormatError, PromptError
from napari_sam_decoder.formats import (
    count_axes,
    is_blank,
    parse_label,
    read_points_table,
)

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.formats import PointsTable

AXES = "axis-0,axis-1,axis-2"


def read(tmp_path: Path, text: str) -> PointsTable:
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8")
    return read_points_table(path)


def test_as_napari_saves_it(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "index,axis-0,axis-1,axis-2,label,object_id,hypothesis\n"
        "0.0,3.0,10.5,20.25,1.0,1.0,\n"
        "1.0,2.9999999,11.0,21.0,0.0,2.0,3.0\n"
        "2.0,1e-7,1,2,nan,7,nan\n"
        "3.0,0.0,1,2,positive,7,0\n",
    )

    np.testing.assert_array_equal(table.frames, [3, 3, 0, 0])
    np.testing.assert_array_equal(
        table.positions, [[10.5, 20.25], [11, 21], [1, 2], [1, 2]]
    )
    np.testing.assert_array_equal(table.signs, [True, False, True, True])
    np.testing.assert_array_equal(table.object_ids, [1, 2, 7, 7])
    np.testing.assert_array_equal(table.hypotheses, [0, 3, 0, 0])
    columns = {**vars(table), "places": np.zeros(0, int)}
    kinds = [array.dtype.kind for array in columns.values()]
    assert kinds == ["i", "f", "b", "i", "i", "i"]
    assert table.places == {}


def test_features_may_be_absent(tmp_path: Path) -> None:
    table = read(tmp_path, f"{AXES}\n4,5,6\n")

    assert (table.frames, table.signs) == ([4], [True])
    assert (table.object_ids, table.hypotheses) == ([1], [0])


def test_points_on_a_picture(tmp_path: Path) -> None:
    table = read(tmp_path, "index,axis-0,axis-1\n0,5,6\n")

    assert table.frames == [0]
    np.testing.assert_array_equal(table.positions, [[5, 6]])


def test_columns_in_any_order_and_spelling(tmp_path: Path) -> None:
    table = read(tmp_path, "Label, AXIS-2 ,axis-0,axis-1\nfalse,6,4,5\n")

    assert table.frames == [4]
    np.testing.assert_array_equal(table.positions, [[5, 6]])
    np.testing.assert_array_equal(table.signs, [False])


@pytest.mark.parametrize(
    ("text", "label"),
    [
        *[(text, True) for text in ("1", "1.0", "True", "POSITIVE", "Foreground", "")],
        *[(text, False) for text in ("0", "0.0", "False", "negative", "BACKGROUND")],
    ],
)
def test_spellings_of_labels(tmp_path: Path, text: str, label: bool) -> None:
    table = read(tmp_path, f"{AXES},label\n0,1,2,{text}\n")

    assert bool(table.signs[0]) is label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        *[(value, True) for value in (True, np.True_, 1, 1.0, np.int8(1), " TRUE ")],
        *[(value, False) for value in (False, np.False_, 0, 0.0, "background")],
        *[(value, True) for value in (None, np.nan, "", " ")],
        *[(value, None) for value in (2, -1, 0.5, "maybe", "10")],
    ],
)
def test_labels_of_any_type(value: object, label: bool | None) -> None:
    assert parse_label(value) is label


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (np.nan, True),
        ("", True),
        (0, False),
        (False, False),
        ("x", False),
    ],
)
def test_blank_values(value: object, expected: bool) -> None:
    assert is_blank(value) is expected


def test_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    table = read(tmp_path, f"\ufeff\n{AXES}\r\n\r\n1,2,3\r\n,,\r\n\r\n")

    assert table.frames == [1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0,1,2,1,1", r"line 3: 5 cells, but there are 6 columns"),
        ("0,1,2,1,1,1,1", r"line 3: 7 cells, but there are 6 columns"),
        ("x,1,2,1,1,", r"line 3: axis-0 must be a finite number, not 'x'"),
        ("0,nan,2,1,1,", r"line 3: axis-1 must be a finite number, not 'nan'"),
        ("0,1,inf,1,1,", r"line 3: axis-2 must be a finite number, not 'inf'"),
        ("0,1,,1,1,", r"line 3: axis-2 must be a finite number, not ''"),
        ("0,10,5,20,1,", r"line 3: label must be .*not '20'"),
        ('0,"10,5",20,1,1,', r"line 3: axis-1 .*not '10,5'; use a decimal point"),
        ("0,1_0,2,1,1,", r"line 3: axis-1 must be a finite number, not '1_0'"),
        ("0,\u0661,2,1,1,", r"line 3: axis-1 must be a finite number, not '\u0661'"),
        ("0,1e999,2,1,1,", r"line 3: axis-1 must be a finite number, not '1e999'"),
        ("-1,1,2,1,1,", r"line 3: axis-0 must be a whole number from 0 .*not '-1'"),
        ("0.5,1,2,1,1,", r"line 3: axis-0 must be a whole number from 0 .*not '0.5'"),
        ("1.5,1,2,1,1,", r"line 3: axis-0 must be a whole number from 0 .*not '1.5'"),
        ("1e300,1,2,1,1,", r"line 3: axis-0 must be a whole number .*not '1e300'"),
        ("nan,1,2,1,1,", r"line 3: axis-0 must be a finite number, not 'nan'"),
        ("0,1,2,0.5,1,", r"line 3: label must be .*not '0.5'"),
        ("0,1,2,1,4294967296,", r"line 3: object_id .*to 4294967295, not '4294967296'"),
        ("0,1,2,1,1e300,", r"line 3: object_id .*not '1e300'"),
        ("0,1,2,1,-1,", r"line 3: object_id .*not '-1'"),
        ("0,1,2,1,1,1.5", r"line 3: hypothesis .*not '1.5'"),
        ("0,1,2,1,1,one", r"line 3: hypothesis must be a finite number, not 'one'"),
        (
            "axis-0,axis-1,axis-2,label,object_id,hypothesis",
            r"line 3: axis-0 .*not 'ax",
        ),
        ('0,1,2,1,1,"1', r"line 3 is not a plain-text table.*unexpected end"),
        ('0,1,2,1,1,"1"2', r"line 3 is not a plain-text table"),
        ("0,1,2,maybe,1,", r"line 3: label must be .*positive.*not 'maybe'"),
        ("0,1,2,2,1,", r"line 3: label must be .*not '2'"),
        (
            "0,1,2,1,0,",
            r"line 3: object_id must be a whole number from 1 to .*, not '0'",
        ),
        ("0,1,2,1,1.5,", r"line 3: object_id .*not '1.5'"),
        ("0,1,2,1,,", r"line 3: object_id .*not ''"),
        ("0,1,2,1,cell,", r"line 3: object_id .*not 'cell'"),
        ("0,1,2,1,nan,", r"line 3: object_id .*not 'nan'"),
        ("0,1,2,1,inf,", r"line 3: object_id .*not 'inf'"),
        (
            "0,1,2,1,1,4",
            r"line 3: hypothesis must be a whole number from 0 to 3, not '4'",
        ),
        (
            "0,1,2,1,1,-1",
            r"line 3: hypothesis must be a whole number from 0 to 3, .*'-1'",
        ),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    good = "0,1,2,1,1,1"
    with pytest.raises(PromptError, match=message):
        read(tmp_path, f"{AXES},label,object_id,hypothesis\n{good}\n{line}\n")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("axis-0;axis-1;axis-2", r"line 1: .*semicolons; save the table with commas"),
        ("axis-0\taxis-1\taxis-2", r"line 1: .*tabs; save the table with commas"),
        (f"{AXES},", r"unknown column ''"),
        (f"{AXES},axis-3", r"the axes are axis-0, axis-1, axis-2, axis-3; a movie"),
        ("axis-0", r"the axes are axis-0; a movie needs"),
        ("axis-1,axis-2", r"the axes are axis-1, axis-2; a movie needs"),
        ("frame,row,column", r"the axes are missing; a movie needs axis-0 \(frame\)"),
        (f"{AXES},size", r"unknown column 'size'; the columns are index, axis-0"),
        (f"{AXES},label,Label", r"line 1: duplicate column 'label'"),
        (f"{AXES},axis-2,label", r"line 1: duplicate column 'axis-2'"),
    ],
)
def test_bad_headers(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        read(tmp_path, f"{header}\n")


@pytest.mark.parametrize("text", ["", "\n\n", f"{AXES}\n"])
def test_no_points(tmp_path: Path, text: str) -> None:
    with pytest.raises(PromptError, match=r"points.csv holds no points; add some"):
        read(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"gone.csv \(.*No such file.*\); check the path"
    ):
        read_points_table(tmp_path / "gone.csv")


def test_other_encoding(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes(f"{AXES}\n1,2,3\n".encode("utf-16"))

    with pytest.raises(PromptError, match=r"p.csv is not a plain-text table.*UTF-8"):
        read_points_table(tmp_path / "p.csv")


def test_endless_cell(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="not a plain-text table"):
        read(tmp_path, f'{AXES}\n"{"x" * 200_000}\n')


def test_a_table_shows_how_much_it_holds(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("axis-0,axis-1,axis-2,object_id\n0,1,2,1\n0,3,4,2\n5,6,7,2\n")
    shown = repr(read_points_table(path))
    assert shown == "PointsTable(3 points of 2 objects on 2 frames)"


def test_a_column_for_each_axis(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("axis-0,axis-1,axis-2,axis-3\n3,1,4.5,6\n2,0,5,7\n")

    through_time = read_points_table(path, "TZYX")
    through_depth = read_points_table(path, "TZYX", along="Z")

    assert through_time.frames.tolist() == [3, 2]
    assert through_time.places["Z"].tolist() == [1, 0]
    assert through_depth.frames.tolist() == [1, 0]
    assert through_depth.places["T"].tolist() == [3, 2]
    assert through_time.positions.tolist() == [[4.5, 6.0], [5.0, 7.0]]
    assert count_axes(path) == 4


def test_columns_in_any_order_of_the_axes(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("axis-0,axis-1,axis-2,axis-3,axis-4\n6,1,3,2,4\n")

    table = read_points_table(path, "XCTZY")

    assert (table.frames[0], table.positions[0].tolist()) == (3, [4.0, 6.0])
    assert {key: place[0] for key, place in table.places.items()} == {"C": 1, "Z": 2}


def test_a_table_of_other_axes(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("axis-0,axis-1,axis-2,axis-3\n3,1,4.5,6\n")
    with pytest.raises(PromptError, match="or one for each of TCZYX"):
        read_points_table(path, "TCZYX")
    path.write_text("axis-0,axis-1,axis-2,axis-3\n3,1.5,4.5,6\n")
    with pytest.raises(PromptError, match="axis-1 must be a whole number"):
        read_points_table(path, "TZYX")
    path.write_text("")
    with pytest.raises(PromptError, match="holds no points"):
        count_axes(path)
