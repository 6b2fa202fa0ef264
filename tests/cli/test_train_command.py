from __future__ import annotations

import numpy as np
import pytest
from terminal import COLUMNS, FRAMES, ROWS, complaint_of, write_stack

import napari_sam_decoder.jobs.train as train_module
from napari_sam_decoder.cli import main
from napari_sam_decoder.weights.trained_decoders import read_metadata


@pytest.fixture(autouse=True)
def _few_pictures(monkeypatch):
    monkeypatch.setattr(train_module, "PICTURES", 2)
    monkeypatch.setattr(train_module, "SAVE_EVERY", 1)


@pytest.fixture
def labels(tmp_path):
    """Object 1 on all frames but the last, made by something else."""
    stack = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    stack[:-1, 10:30, 20:40] = 1
    write_stack(tmp_path / "labels.tif", stack)
    return tmp_path / "labels.tif"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "mine.safetensors"


def test_fixed_frames_teach(run, movie, labels, target):
    code, out, err = run(
        *("train", movie, "--labels", labels, "--fixed", "0", "--fixed", "1:3"),
        *("-o", target),
        *("--steps", 2),
    )
    assert code == 0
    assert out.splitlines() == [
        "learned from frames 0, 1, 2, 1 object, 3 outlines",
        f"decoder: {target}; use it with --decoder {target}",
    ]
    assert "training" in err
    assert read_metadata(target).trained_on.startswith("movie.tif, frames 0, 1, 2")


def test_prompted_objects_teach(run, movie, target, tmp_path):
    labels = tmp_path / "labels.zarr"
    run("segment", movie, "--masks", painted(tmp_path), "-o", labels)
    code, out, err = run(
        *("train", movie, "--labels", labels, "-o", target, "--steps", 1, "--quiet")
    )
    assert (code, err) == (0, "")
    assert out.startswith("learned from frame 0, 1 object, 1 outline\n")


def painted(folder):
    stack = np.zeros((FRAMES, ROWS, COLUMNS), np.uint8)
    stack[0, 10:30, 20:40] = 1
    write_stack(folder / "painted.tif", stack)
    return folder / "painted.tif"


def test_an_interrupted_training_goes_on(
    capsys, monkeypatch, run, movie, labels, target
):
    command = ["train", movie, "--labels", labels, "--fixed", "0", "-o", target]
    command = [str(part) for part in [*command, "--steps", 3, "--quiet"]]
    loop = "napari_sam_decoder.training.loop.train"

    def interrupted(*arguments, **options):
        steps = original(*arguments, **options)
        yield next(steps)
        raise KeyboardInterrupt

    from napari_sam_decoder.training.loop import train as original

    with monkeypatch.context() as patched:
        patched.setattr(loop, interrupted)
        assert main(command) == 130
    assert "the same command continues" in capsys.readouterr().err
    assert not target.exists()
    done = []

    def watched(*arguments, **options):
        for step in original(*arguments, **options):
            done.append(step.number)
            yield step

    monkeypatch.setattr(loop, watched)
    assert main(command) == 0
    assert done == [1, 2]
    assert target.exists()


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ((), "--fixed 3,17,40"),
        (("--fixed", "0,9"), "frame 9 is not among the frames 0:4"),
        (("--fixed", "0", "--frames", "1:3"), "frame 0 is not among the frames 1:3"),
        (("--fixed", "3"), "no object on frame 3"),
        (("--fixed", "0;3"), "is not a list of frames, such as 3,17"),
        (("--fixed", "3:3"), "'3:3' in '3:3' is not a range of frames"),
        (("--fixed", "0,3:1"), "'3:1' in '0,3:1' is not a range of frames"),
        (("--fixed", "0:99999999999"), "is not a range of frames"),
        (("--fixed", "0", "--fixed", "9"), "frame 9 is not among the frames 0:4"),
        (("--fixed", "0", "--steps", "1", "--steps", "2"), "--steps: is given twice"),
        (("--fixed", "0", "--steps", "0"), "not a whole number of 1"),
    ],
)
def test_mistakes_are_one_line(run, movie, labels, target, options, remedy):
    command = ("train", movie, "--labels", labels, "-o", target, *options)
    assert remedy in complaint_of(run(*command))
    assert not target.exists()
    assert not target.with_name(f"{target.name}.unfinished").exists()


@pytest.mark.parametrize(
    ("target", "remedy"),
    [
        ("mine.pt", "ends in .safetensors"),
        ("no/mine.safetensors", "make the folder first"),
    ],
)
def test_places_for_no_decoder_are_refused(run, movie, labels, target, remedy):
    command = ("train", movie, "--labels", labels, "--fixed", "0")
    assert remedy in complaint_of(run(*command, "-o", movie.parent / target))


def test_the_help_knows_how_long(run):
    _, out, _ = run("train", "--help")
    assert f"(default: {train_module.STEPS})" in out


def test_labels_of_another_shape(run, movie, target, tmp_path):
    write_stack(tmp_path / "other.tif", np.ones((FRAMES, ROWS, 9), np.uint8))
    command = ("train", movie, "--labels", tmp_path / "other.tif", "--fixed", "0")
    assert "shape (4, 48, 9)" in complaint_of(run(*command, "-o", target))


def test_what_is_there_is_replaced_only_on_demand(run, movie, labels, target):
    target.write_text("precious")
    command = ("train", movie, "--labels", labels, "--fixed", "0", "-o", target)
    assert "--replace" in complaint_of(run(*command))
    assert target.read_text() == "precious"
    code, *_ = run(*command, "--steps", 1, "--replace")
    assert code == 0
    assert read_metadata(target)
