"""Whatever is in a table, and on the command line: what is meant, or a clear error.

Tables and options are drawn together with what they mean, if anything. A plain
reference says what labels come of it; the network is replaced by one that paints what
it is asked.
"""

from __future__ import annotations

import io
import tempfile
from collections import defaultdict
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st
from terminal import read_labels

from napari_sam_decoder.cli import main
from napari_sam_decoder.formats import read_provenance
from napari_sam_decoder.model.values import Embedding
from napari_sam_decoder.propagation import FrameResult, ObjectResult

FRAMES, ROWS, COLUMNS = 4, 12, 15
BAD = object()
"""The meaning of what has none."""

OTHER_ID = 7
"""What the output holds already, where it does."""


@pytest.fixture(scope="module", autouse=True)
def _painting_network(tiny_sam):
    """Replace the network by one that paints what it is asked, in no time."""
    nothing = np.zeros(tiny_sam.embedding_shape, np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "napari_sam_decoder.weights.registry.load_sam", lambda *_, **__: tiny_sam
        )
        patch.setattr(tiny_sam, "encode", lambda rgb: Embedding(nothing, rgb.shape[:2]))
        patch.setattr("napari_sam_decoder.session.propagate", paint_prompts)
        yield


def paint_prompts(views, itinerary):
    for frame in (*itinerary.forward, *itinerary.backward):
        labels = np.zeros(views.frame_shape, itinerary.labels_dtype)
        for prompt in itinerary.prompts:
            if prompt.frame == frame:
                positions = zip(prompt.points, prompt.signs, strict=True)
                clicks = [(*position, label) for position, label in positions]
                mask = None if prompt.mask is None else prompt.mask.to_array()
                paint(labels, prompt.object_id, clicks, prompt.box, mask)
        objects = {
            key: ObjectResult.confirmed(key) for key in itinerary.prompts.object_ids
        }
        yield FrameResult(frame, labels, objects)


def paint(labels, object_id, clicks, box, mask):
    if mask is not None:
        labels[mask] = object_id
    if box is not None:
        row0, column0, row1, column1 = (max(round(value), 0) for value in box)
        labels[row0 : row1 + 1, column0 : column1 + 1] = object_id
    for row, column, is_positive in clicks:
        if is_positive:
            place = (
                min(max(round(row), 0), ROWS - 1),
                min(max(round(column), 0), COLUMNS - 1),
            )
            labels[place] = object_id


# What is drawn, with its meaning


def meaning(text, value):
    return st.just((text, value))


def one_of(good, bad, odds=60):
    """Draw something good most of the time."""
    good, bad = list(good), list(bad)
    # Hypothesis likes the ends of a range, and simple values.
    return st.integers(0, odds).flatmap(
        lambda number: st.sampled_from(bad if number == odds // 2 else good)
    )


NO_NUMBER = [
    *("x", "nan", "inf", "-Infinity", "1_0", "0x1", "1e999", "--1", "1 2", "\u0661"),
    *("1,5", "1.5.2", "\0", "axis-0", "None"),
]
NO_NUMBER = [(text, BAD) for text in NO_NUMBER]


def whole_numbers(values):
    return [
        (spelled.format(value), value)
        for value in values
        for spelled in ("{}", "{}.0", " {} ", "+{}", "{}e0", "{}.0000001")
    ]


frames = one_of(
    whole_numbers(range(FRAMES)),
    [
        *NO_NUMBER,
        ("", BAD),
        ("0.5", BAD),
        ("1.5", BAD),
        ("-1", BAD),
        ("1e300", BAD),
        (str(FRAMES), FRAMES),
        ("2147483648", BAD),
    ],
)
rows = one_of(
    [(text, float(text)) for text in ("0", "3.25", "-0.5", "11.5", "1e1", ".5", "7.")],
    [*NO_NUMBER, ("", BAD), ("12", 12.0), ("-1", -1.0), ("1e300", 1e300)],
)
ids = one_of(
    whole_numbers((1, 2, 300, 70000, 2**32 - 1, OTHER_ID)),
    [
        *NO_NUMBER,
        *[(text, BAD) for text in ("", "0", "-1", "1.5", "4294967296", "1e300")],
    ],
)
labels = one_of(
    [
        (text, True)
        for text in ("1", "1.0", "true", "Positive", " FOREGROUND", "", "nan")
    ]
    + [(text, False) for text in ("0", "0.0", "False", "negative", "background")],
    [(text, BAD) for text in ("0.5", "2", "-1", "maybe", "yes", "1,0")],
)
hypotheses = one_of(
    [(text, 0) for text in ("", "0", "0.0", "nan")] * 4
    + [(text, 2) for text in ("2", "2.0")],
    [*[row for row in NO_NUMBER if row[0] not in ("nan", "None")], ("3", 3)]
    + [(text, BAD) for text in ("4", "-1", "1.5")],
)
COLUMNS_OF = {
    "index": st.sampled_from([("0", None), ("", None), ("x", None)]),
    "axis-0": frames,
    "axis-1": rows,
    "axis-2": rows,
    "label": labels,
    "object_id": ids,
    "hypothesis": hypotheses,
}
AXES = ["axis-0", "axis-1", "axis-2"]


@dataclass
class Table:
    """A table as bytes, and the rows that it means; None if it has no meaning."""

    content: bytes
    rows: list | None


@st.composite
def tables(draw):
    optional = st.lists(
        st.sampled_from(["index", "label", "object_id", "hypothesis"]), unique=True
    )
    names = draw(st.permutations([*AXES, *draw(optional)]))
    drawn = draw(
        st.lists(
            st.tuples(*(COLUMNS_OF[name] for name in names)), min_size=1, max_size=4
        )
    )
    meant = [
        dict(zip(names, (value for _, value in row), strict=True)) for row in drawn
    ]
    is_good = not any(value is BAD for row in meant for value in row.values())
    lines = [list(names), *([text for text, _ in row] for row in drawn)]
    spoil = draw(one_of([None], SPOILERS, odds=9))
    if spoil is not None:
        is_good &= spoil(lines)
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(
        ",".join(map(quoted, line)) for line in lines
    )
    content = draw(ENCODINGS)
    encoded, is_readable = content(text)
    return Table(encoded, meant if is_good and is_readable else None)


def quoted(cell):
    return f'"{cell}"' if "," in cell else cell


def without_a_cell(lines):
    lines[-1].pop()


def with_a_cell(lines):
    lines[-1].append("1")


def with_a_column_twice(lines):
    for line in lines:
        line.append(line[0])


def with_an_unknown_column(lines):
    for line, cell in zip(lines, ["flavour", *["sweet"] * 9], strict=False):
        line.append(cell)


def without_an_axis(lines):
    place = lines[0].index("axis-1")
    for line in lines:
        del line[place]


def without_rows(lines):
    del lines[1:]


def with_semicolons(lines):
    lines[:] = [[";".join(line)] for line in lines]


def with_tabs(lines):
    lines[:] = [["\t".join(line)] for line in lines]


def with_an_open_quote(lines):
    lines[-1][0] = f'"{lines[-1][0]}'


def with_blank_lines(lines):
    lines[1:1] = [[""], [" "], ["", ""]]
    lines.insert(0, [""])
    return True


def with_another_case(lines):
    lines[0] = [f" {name.upper()}" for name in lines[0]]
    return True


SPOILERS = [
    *(without_a_cell, with_a_cell, with_a_column_twice, with_an_unknown_column),
    *(without_an_axis, without_rows, with_semicolons, with_tabs, with_an_open_quote),
]
SPOILERS = [lambda lines, spoil=spoil: bool(spoil(lines)) for spoil in SPOILERS]
SPOILERS += [with_blank_lines, with_another_case] * 5
ENCODINGS = st.sampled_from(
    [lambda text: (text.encode(), True)] * 8
    + [lambda text: (text.encode("utf-8-sig"), True)] * 4
    + [lambda text: (text.encode("utf-16"), False)]
)

boxes = one_of(
    [
        (
            f"{frame},{row},2,{row + 4},{column}{object_id}",
            (int(object_id[1:] or 1), frame),
            (row, 2, row + 4, column),
        )
        for frame, row, column, object_id in product(
            range(FRAMES), (0, 3), (5, 9), ("", ",2", ",70000")
        )
    ],
    [
        (text, BAD, None)
        for text in (
            "0,1,1,5",
            "0,1,1,5,5,1,2",
            "0,1,1,5,x",
            "0.5,1,1,5,5",
            "0,1,1,1,5",
            "0,1,1,nan,5",
            "0,1,1,5,5,0",
            "9,1,1,5,5",
            "0,90,1,95,5",
            "0,1,1,5,5,4294967296",
            "-1,1,1,5,5",
            "",
            "0;1;1;5;5",
        )
    ],
)
stretches = one_of(
    [
        (None, range(FRAMES)),
        (":", range(FRAMES)),
        ("0:4", range(4)),
        ("1:", range(1, 4)),
        (":3", range(3)),
        ("1:3", range(1, 3)),
    ],
    [
        (text, BAD)
        for text in ("1:9", "3:1", "2:2", "-1:3", "0:4:2", "2", "a:b", "0:1_0")
    ],
)
# Options that change nothing in what is expected, or make it an error.
extras = one_of(
    [
        ([], True),
        (["--stabilise", "0.5"], True),
        (["--smallest-window", "256"], True),
        (["--contrast", "0", "255"], True),
        (["--axes", "tyx"], True),
        (["--storage", "float16"], True),
        (["--verbose"], True),
    ],
    [
        (["--stabilise", "2"], False),
        (["--stabilise", "nan"], False),
        (["--smallest-window", "12"], False),
        (["--contrast", "9", "3"], False),
        (["--contrast", "1"], False),
        (["--contrast", "1", "inf"], False),
        (["--axes", "TYXC"], False),
        (["--axes", "TYX", "--axes", "TYX"], False),
        (["--storage", "int4"], False),
        (["--frames", ":", "--frames", ":"], False),
        (["--quiet", "--masks-frame", "0"], False),
        (["--unknown"], False),
        (["more"], False),
    ],
    odds=9,
)
outputs = one_of(
    ["labels.tif", "labels.zarr"],
    [
        "labels.xyz",
        "no/labels.tif",
        "movie.npy",
        "points0.csv",
        ".",
        f"{'x' * 300}.tif",
    ],
    odds=15,
)
painted = st.sampled_from([None] * 6 + [0, 2, FRAMES])


@dataclass
class Command:
    """A command line, and what it means."""

    tables: list[Table]
    boxes: list
    stretch: tuple
    extra: tuple
    output: str
    painted: int | None
    has_other: bool
    arguments: list[str] = field(default_factory=list)


@st.composite
def commands(draw):
    return Command(
        draw(st.lists(tables(), max_size=2)),
        draw(st.lists(boxes, max_size=2)),
        draw(stretches),
        draw(extras),
        draw(outputs),
        draw(painted),
        draw(st.sampled_from([False, False, True])),
    )


# What comes of it


@given(commands())
def test_the_labels_are_those_that_are_meant_or_one_line_says_why_not(command):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        arguments = write_inputs(command, place)
        before = contents(place)
        code, out, err = run(arguments)
        expected = expect(command)
        output = place / command.output
        if expected is None:
            assert (code, out) == (2, ""), err
            lines = [line for line in err.splitlines() if "error: " in line]
            assert len(lines) == 1
            if "--verbose" not in arguments:
                assert err.count("\n") == 1
            assert contents(place) == before
        else:
            assert code == 0, err
            target(float(len(expected.prompts)))
            found = read_labels(output)
            np.testing.assert_array_equal(found, expected.labels)
            assert found.dtype == expected.labels.dtype
            assert noted_in(output) == expected.prompts
            assert set(contents(place)) == {*before, *contents(place, output)}


def write_inputs(command, place):
    np.save(place / "movie.npy", np.zeros((FRAMES, ROWS, COLUMNS), np.uint8))
    arguments = ["segment", str(place / "movie.npy"), "--cache", "none", "--quiet"]
    for number, table in enumerate(command.tables):
        (place / f"points{number}.csv").write_bytes(table.content)
        arguments += ["--points", str(place / f"points{number}.csv")]
    for text, *_ in command.boxes:
        arguments.append(f"--box={text}")
    if command.stretch[0] is not None:
        arguments.append(f"--frames={command.stretch[0]}")
    if command.painted is not None:
        np.save(place / "mask.npy", painting())
        arguments += ["--masks", str(place / "mask.npy")]
        arguments += ["--masks-frame", str(command.painted)]
    if command.has_other and command.output in ("labels.tif", "labels.zarr"):
        write_other(place / command.output)
    return [*arguments, *command.extra[0], "-o", str(place / command.output)]


def painting():
    mask = np.zeros((ROWS, COLUMNS), np.uint8)
    mask[2:5, 3:8] = 9
    return mask


def other_labels():
    labels = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    labels[:, 8:, :4] = OTHER_ID
    return labels


def write_other(path):
    from napari_sam_decoder.formats import LabelSink

    with LabelSink(path, (FRAMES, ROWS, COLUMNS), np.uint8) as sink:
        for frame, plane in enumerate(other_labels()):
            sink.write(frame, plane)
        sink.finish({})


def contents(folder, below=None):
    paths = [below, *below.rglob("*")] if below else folder.rglob("*")
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def run(arguments):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = exit_.code
    return code, out.getvalue(), err.getvalue()


@dataclass
class Expected:
    labels: np.ndarray
    prompts: list


def expect(command):
    """Say what comes of a command, without a line of the program; None for an error."""
    _, asked = command.stretch
    is_good = asked is not BAD and command.extra[1]
    is_good &= command.output in ("labels.tif", "labels.zarr")
    is_good &= all(table.rows is not None for table in command.tables)
    is_good &= all(place is not BAD for _, place, _ in command.boxes)
    said = defaultdict(
        lambda: {"clicks": [], "box": None, "mask": None, "picks": set()}
    )
    if not is_good or command.painted == FRAMES:
        return None
    if command.painted is not None:
        said[9, command.painted]["mask"] = painting() > 0
    for _, place, box in command.boxes:
        if said[place]["box"] is not None:
            return None
        said[place]["box"] = box
    for row in (row for table in command.tables for row in table.rows):
        here = said[row.get("object_id", 1), row["axis-0"]]
        here["clicks"].append((row["axis-1"], row["axis-2"], row.get("label", True)))
        here["picks"] |= {row.get("hypothesis", 0)} - {0}
    return (
        expected_of(said, asked, command.has_other) if is_sound(said, asked) else None
    )


def is_sound(said, asked):
    for (_, frame), here in said.items():
        is_inside = all(
            -0.5 <= row <= ROWS - 0.5 and -0.5 <= column <= COLUMNS - 0.5
            for row, column, _ in here["clicks"]
        )
        is_positive = any(click[2] for click in here["clicks"])
        is_positive |= here["box"] is not None or here["mask"] is not None
        if not (
            frame < FRAMES and is_inside and is_positive and len(here["picks"]) < 2
        ):
            return False
    carried = {object_id for object_id, frame in said if frame in asked}
    return bool(said) and carried == {object_id for object_id, _ in said}


def expected_of(said, asked, has_other):
    highest = max(object_id for object_id, _ in said)
    dtype = np.uint16 if highest < 2**16 else np.uint32
    labels = np.zeros((FRAMES, ROWS, COLUMNS), dtype)
    for (object_id, frame), here in sorted(said.items(), key=lambda item: item[0]):
        if frame in asked:
            paint(labels[frame], object_id, here["clicks"], here["box"], here["mask"])
    if has_other:
        if OTHER_ID in {object_id for object_id, _ in said}:
            return None
        labels = np.where(other_labels() > 0, other_labels(), labels).astype(dtype)
    prompts = [
        (*place, sorted(here["clicks"]), min(here["picks"], default=None))
        for place, here in sorted(said.items(), key=lambda item: item[0])
    ]
    return Expected(labels, prompts)


def noted_in(output):
    return [
        (
            prompt["object_id"],
            prompt["frame"],
            sorted(
                (*position, label)
                for position, label in zip(
                    prompt["points"], prompt["labels"], strict=True
                )
            ),
            prompt["hypothesis"],
        )
        for prompt in read_provenance(output)["prompts"]
    ]
