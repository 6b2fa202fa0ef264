"""How the process ends: signals, closed pipes and full disks."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

import pytest
from terminal import complaint_of

from napari_sam_decoder.cli import commands, main

needs_hangup = pytest.mark.skipif(
    not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP"
)


def stop_twice(number):
    """Send a signal as ``timeout`` does; a second one must not end the tidying up."""

    def command(*_, **__):
        try:
            os.kill(os.getpid(), number)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), number)

    return command


@needs_hangup
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_command_as_ctrl_c_does(run, monkeypatch, name, code):
    number = getattr(signal, name)
    monkeypatch.setattr(commands, "list_models", stop_twice(number))
    # Whoever runs the tests may ignore it.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        ended, _, err = run("models")
        assert (ended, "stopped" in err) == (code, True)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


@needs_hangup
def test_what_nohup_started_goes_on(run, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(
            commands, "list_models", lambda _: os.kill(os.getpid(), signal.SIGHUP) or 0
        )
        assert run("models")[0] == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@needs_hangup
def test_a_project_is_as_before_after_a_signal(run, movie, tmp_path, monkeypatch):
    project = tmp_path / "work.samproject"
    command = ("segment", movie, "--box", "0,10,10,30,40", "--project", project)
    files = set(tmp_path.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(
            "napari_sam_decoder.jobs.segment.embed_frames", stop_twice(signal.SIGTERM)
        )
        assert run(*command, "-o", tmp_path / "labels.tif")[0] == 143
    left = {path.name for path in set(tmp_path.iterdir()) - files}
    assert left <= {"default-cache", ".work.samproject.lock"}
    assert run(*command, "-o", tmp_path / "labels.tif")[0] == 0


@pytest.mark.parametrize(
    ("cache", "is_kept"), [((), True), (("--cache", "none"), False)]
)
def test_only_what_is_kept_is_said_to_be(run, movie, monkeypatch, cache, is_kept):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "segment", stopped)
    code, _, err = run("segment", movie, "-o", "labels.tif", *cache)
    assert code == 130
    assert ("embeddings so far are kept" in err) == is_kept


def test_a_closed_pipe_ends_quietly(run, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", pipe)
        code = main(["models"])
    assert code == 141
    assert run("models")[2] == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_no_bug(monkeypatch, capsys):
    with open("/dev/full", "w") as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        code = main(["models"])
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write the results to stdout" in line


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_stream_may_be_missing(monkeypatch, name):
    with monkeypatch.context() as patched:
        patched.setattr(sys, name, None)
        assert main(["models"]) == 0
        assert main(["cache", "info", "nowhere"]) == 2


def test_the_help_that_is_named_is_that_of_the_command(run):
    line = complaint_of(run("segment", "m.tif", "-o", "l.tif", "--pionts", "p.csv"))
    assert "--pionts" in line
    assert "'napari-sam-decoder segment --help'" in line


def test_what_cannot_be_written_is_found_before_the_work(
    run, movie, tmp_path, monkeypatch
):
    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("napari_sam_decoder.jobs.outputs.TemporaryFile", refused)
    report, labels = tmp_path / "report.csv", tmp_path / "labels.tif"
    command = ("segment", movie, "--box", "0,10,10,30,40", "-o", labels)
    line = complaint_of(run(*command, "--report", report))
    assert f"cannot write {report}" in line
    assert not labels.exists()


@pytest.mark.parametrize("axis", ["z,t", "zz", "y"])
def test_a_wrong_axis_is_named_with_its_own_option(run, movie, tmp_path, axis):
    box = ("--box", "0,10,10,30,40", "-o", tmp_path / "labels.tif")
    line = complaint_of(run("segment", movie, *box, "--each", axis))
    assert "--each" in line
    assert f"not {axis!r}" in line
    assert "{" not in line


def test_the_folder_of_the_movies_is_not_that_of_the_results(run, movie):
    folder = movie.parent
    line = complaint_of(run("batch", folder, "--auto", "-o", folder))
    assert "a folder of their own with -o" in line


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("no.zarr/labels/cells", (), "no.zarr of OME-Zarr 0.5 for labels"),
        ("no.zarr", ("--format", "ome-zarr"), "IMAGE.zarr/labels/NAME"),
    ],
)
def test_labels_need_an_image_to_go_into(
    run, movie, tmp_path, monkeypatch, output, options, message
):
    monkeypatch.chdir(tmp_path)
    assert message in complaint_of(run("convert", movie, output, "--quiet", *options))


def test_the_same_command_goes_on_after_a_kill(run, movie, tmp_path, monkeypatch):
    project, killed = tmp_path / "work.samproject", tmp_path / "killed.samproject"

    def keep_what_is_there(*_):
        until = time.monotonic() + 20
        while b"Run of object 1" not in project.read_bytes():
            assert time.monotonic() < until
            time.sleep(0.01)
        killed.write_bytes(project.read_bytes())

    def command(box, path):
        labels = tmp_path / f"{path.stem}.tif"
        return run(
            *("segment", movie, "--box", box, "-o", labels),
            *("--project", path, "--quiet"),
        )

    with monkeypatch.context() as patched:
        patched.setattr(
            "napari_sam_decoder.jobs.segment.embed_frames", keep_what_is_there
        )
        assert command("0,10,10,30,40", project)[0] == 0
    assert "already has object 1" in complaint_of(command("0,5,5,20,20", killed))
    assert command("0,10,10,30,40", killed)[0] == 0
    # Now it has labels.
    assert "already has object 1" in complaint_of(command("0,10,10,30,40", killed))
