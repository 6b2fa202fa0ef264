"""Options in any number and order: all that is typed reaches the job, or is refused."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.cli import main
from napari_sam_decoder.jobs import CorrectResult, Report, ScribbleFile

BAD = object()
"""The meaning of what has none."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("options")
    np.save(folder / "movie.npy", np.zeros((9, 8, 8), np.uint8))
    np.save(folder / "labels.npy", np.zeros((9, 8, 8), np.uint8))
    for number in range(3):
        (folder / f"{number}.csv").write_text(f"axis-0,axis-1,axis-2\n{number},1,1\n")
        np.save(folder / f"{number}.npy", np.ones((8, 8), np.uint8))
    return folder


@pytest.fixture(scope="module")
def jobs(place):
    """Take the jobs that the commands ask for, as far as they check themselves."""
    taken = []

    def correct(job, *_):
        job.check()
        taken.append(job)
        return CorrectResult(Report(), 9, 1)

    def train(job, *_):
        job.check()
        taken.append(job)

    def embed(movie, *_):
        taken.append(movie)
        return Counter()

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        load = "napari_sam_decoder.weights.registry.load_sam"
        patch.setattr(load, lambda name, **options: (name, options))
        patch.setattr("napari_sam_decoder.jobs.correct_file", correct)
        patch.setattr("napari_sam_decoder.jobs.train.train", train)
        patch.setattr("napari_sam_decoder.jobs.embed_file", embed)
        yield taken


# Of each option what can be typed, and what it means.
ONCE = {
    "--frames": {
        "2:5": (2, 5),
        ":": (0, None),
        "3:": (3, None),
        ":4": (0, 4),
        **dict.fromkeys(("2", "a:b", "-1:3", "0:9:2", "1_0:", "", "0.5:3"), BAD),
    },
    "--axes": {"TYX": "TYX", "ZYX": "ZYX"},
    "--contrast": {"1 2": (1, 2), "-5 1e3": (-5, 1000), "1 x": BAD, "nan 1": BAD},
    "--storage": {"int8": "int8", "float16": "float16", "int4": BAD},
}
TABLES = {f"{number}.csv": number for number in range(3)}
DRAWN = {f"{number}.npy": f"{number}.npy" for number in range(3)}
ONCE_OF = {
    "correct": {
        "-o": {"new.tif": Path("new.tif"), "new.xyz": BAD, "0.csv": BAD},
        "--report": {"r.csv": Path("r.csv"), "no/r.csv": BAD},
        "--scribbles-frame": {"3": 3, "0": 0, "-1": BAD, "x": BAD},
        **ONCE,
    },
    "train": {
        "--steps": {"7": 7, **dict.fromkeys(("0", "1.5", "-1", "x", "1_0"), BAD)},
        **{option: ONCE[option] for option in ("--frames", "--axes", "--contrast")},
    },
    "embed": {"--cache": {"here": "here"}, **ONCE},
}
SIGNS = {"--scribbles": True, "--negative-scribbles": False}
OFTEN_OF = {
    "correct": {
        "--points": {**TABLES, "no.csv": BAD},
        "--prompts": TABLES,
        "--box": {"2,1,1,5,5": (1, 2), "3,1,1,5,5,4": (4, 3), "2,1,1,5": BAD},
        "--lasso": {
            "2,1,1,1,6,6,6": (1, 2),
            "4,1,1,1,6,6,6,4": (4, 4),
            **dict.fromkeys(("2,1,1,1,6", "2,1,1,1,6,6,x", "2,1,1,2,2,3,3"), BAD),
        },
        "--scribbles": DRAWN,
        "--negative-scribbles": DRAWN,
        "--painted": {
            "2:5": (2, 5),
            "1:0": (1, 0),
            **dict.fromkeys(("1", "a:b", "1.5:2", "-1:2", "1:2:3", ""), BAD),
        },
    },
    "train": {
        "--fixed": {
            "3": (3,),
            "1,4:6": (1, 4, 5),
            "0": (0,),
            **dict.fromkeys(("5:3", "x", "1.5", "", "3,", "2:2", "-1"), BAD),
        },
    },
    "embed": {},
}


@st.composite
def typed(draw, command):
    """Draw options with their meanings, mostly good ones."""
    pools = {**ONCE_OF[command], **OFTEN_OF[command]}
    options = draw(st.lists(st.sampled_from(sorted(pools)), max_size=6))
    parts = []
    for option in options:
        pool = pools[option]
        good = [text for text, meaning in pool.items() if meaning is not BAD]
        texts = draw(st.sampled_from([*[good] * 7, list(pool)]))
        text = draw(st.sampled_from(texts))
        parts.append((option, text, pool[text]))
    return parts


def run(command, parts):
    required = {
        "correct": ["--labels", "labels.npy"],
        "train": ["--labels", "labels.npy", "-o", "mine.safetensors"],
        "embed": [],
    }
    arguments = [command, "movie.npy", *required[command], "--quiet"]
    for option, text, _ in parts:
        values = text.split() if option == "--contrast" else [text]
        arguments += [option, *values]
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as exit_:
            code = exit_.code
    return code, out.getvalue(), err.getvalue()


def check(command, parts, jobs, expected_of):
    """Compare the job that a command asks for with what was typed."""
    jobs.clear()
    code, out, err = run(command, parts)
    counts = Counter(option for option, *_ in parts)
    is_good = not any(meaning is BAD for _, _, meaning in parts)
    is_good &= all(counts[option] < 2 for option in ONCE_OF[command])
    said = {option: [] for option in (*ONCE_OF[command], *OFTEN_OF[command])}
    for option, _, meaning in parts:
        said[option].append(meaning)
    expected = expected_of(said) if is_good else None
    if expected is None:
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert "error: " in line
        assert not jobs
    else:
        assert (code, err) == (0, "")
        (job,) = jobs
        for name, value in expected.items():
            found = job
            for part in name.split("."):
                found = getattr(found, part)
            assert found == value, name


def only(values, default=None):
    return values[0] if values else default


def movie_of(said):
    start, stop = only(said["--frames"], (0, None))
    return {
        "start": start,
        "stop": stop,
        "axes": only(said["--axes"]),
        "contrast": only(said["--contrast"]),
    }


@given(typed("embed"))
def test_all_that_is_said_of_a_movie_reaches_the_job(jobs, parts):
    def expected(said):
        cache = only(said["--cache"], "auto")
        return {**movie_of(said), "cache": cache, "storage": only(said["--storage"])}

    check("embed", parts, jobs, expected)


@given(typed("train"))
def test_all_that_is_said_of_a_training_reaches_the_job(jobs, parts):
    def expected(said):
        movie = {f"movie.{name}": value for name, value in movie_of(said).items()}
        fixed = tuple(frame for frames in said["--fixed"] for frame in frames)
        return {**movie, "fixed": fixed, "steps": only(said["--steps"], 500)}

    check("train", parts, jobs, expected)


@given(typed("correct"))
def test_all_that_is_said_of_a_correction_reaches_the_job(jobs, parts):
    def expected(said):
        tables = (said["--points"], said["--prompts"])
        outlines = [*said["--box"], *said["--lasso"]]
        drawn = [*said["--scribbles"], *said["--negative-scribbles"]]
        several = (*tables, outlines, drawn)
        is_twice = any(len(set(some)) < len(some) for some in several)
        is_empty = not (said["--points"] or said["--painted"] or outlines or drawn)
        frame = only(said["--scribbles-frame"])
        if frame is not None and not drawn:
            return None
        # Without another output the labels are replaced, and these are no TIFF.
        if is_twice or is_empty or not said["-o"]:
            return None
        if any(f"{number}.csv" == str(only(said["-o"])) for number in range(3)):
            return None
        movie = {f"movie.{name}": value for name, value in movie_of(said).items()}
        return {
            **movie,
            "painted": tuple(said["--painted"]),
            "output": only(said["-o"]),
            "report": only(said["--report"]),
            "sources": tuple(Path(f"{n}.csv") for n in (*tables[0], *tables[1])),
            "places": places(said),
            "scribbles": tuple(
                ScribbleFile(name, is_positive, frame)
                for option, is_positive in SIGNS.items()
                for name in said[option]
            ),
        }

    check("correct", parts, jobs, expected)


def places(said):
    clicked = [(1, frame) for frame in said["--points"]]
    shown = sorted([*clicked, *said["--box"], *said["--lasso"]])
    return list(dict.fromkeys([*said["--painted"], *shown]))
