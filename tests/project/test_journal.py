from __future__ import annotations

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.errors import ClosedError, ProjectError
from napari_sam_decoder.project import journal
from napari_sam_decoder.project.journal import JournalWriter, is_open, read_journal
from napari_sam_decoder.project.journal_file import JournalFile
from napari_sam_decoder.project.journal_lines import ProjectHeader, op_line
from napari_sam_decoder.project.movie_identity import MovieIdentity

WORKER = Path(__file__).parents[1] / "journal_worker.py"
MOVIE = MovieIdentity("/data/cells.tif", "cells", (5, 8, 9), "uint16", "ab" * 32)
HEADER = ProjectHeader(MOVIE, "mobile_sam", (1.5, 200.0))

OPS = [
    {"op": "step", "title": "Point added", "changes": [["rows", "points", 0, [], [3]]]},
    {"op": "undo", "count": 1},
    {"op": "note", "changes": [["entries", "objects", [], [[1, None, "ä"]]]]},
    {"op": "redo", "count": 1},
]
CHECKPOINT = {"op": "checkpoint", "state": {"points": [1, 2]}, "changes": [4]}


def lines_of(*ops, first=1):
    return [op_line(number, op) for number, op in enumerate(ops, first)]


def written(path, *lines):
    path.write_bytes(HEADER.line() + b"".join(lines))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cells.samproject"


@pytest.fixture
def failures():
    return []


@pytest.fixture
def writer(path, failures):
    with closing(JournalWriter.create(path, HEADER, on_failure=failures.append)) as one:
        yield one


# Reading


def test_all_ops_come_back(path):
    found = read_journal(written(path, *lines_of(*OPS)))
    assert found.header == HEADER
    assert list(found.ops) == OPS
    assert (found.older, found.damage, found.last_number) == ((), None, 4)
    assert found.end == found.size == path.stat().st_size


def test_a_project_in_which_nothing_was_done_is_empty(path):
    found = read_journal(written(path))
    assert (found.ops, found.older, found.damage, found.last_number) == (
        (),
        (),
        None,
        0,
    )


def test_ops_before_the_last_checkpoint_stay_raw(path):
    ops = [*OPS, CHECKPOINT, *OPS, CHECKPOINT, *OPS]
    found = read_journal(written(path, *lines_of(*ops)))
    assert list(found.ops) == [CHECKPOINT, *OPS]
    assert [op.decode() for op in found.older] == [*OPS, CHECKPOINT, *OPS]
    assert found.older[0].head() == {"op": "step", "title": "Point added"}
    assert [op.number for op in found.older] == list(range(1, 10))
    assert [op.line_number for op in found.older] == list(range(2, 11))


def test_a_file_that_begins_with_a_checkpoint_has_nothing_older(path):
    found = read_journal(written(path, *lines_of(CHECKPOINT, *OPS)))
    assert (found.older, list(found.ops)) == ((), [CHECKPOINT, *OPS])


@pytest.mark.parametrize("ops", [OPS, [*OPS[:2], CHECKPOINT, *OPS[2:]]])
def test_a_file_cut_anywhere_has_all_whole_lines(ops, path):
    lines = lines_of(*ops)
    whole = HEADER.line() + b"".join(lines)
    ends = [
        len(HEADER.line()) + sum(map(len, lines[:n])) for n in range(len(lines) + 1)
    ]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        if cut < ends[0]:
            with pytest.raises(ProjectError, match="first line"):
                read_journal(path)
            continue
        found = read_journal(path)
        count = sum(end <= cut for end in ends) - 1
        assert [op.decode() for op in found.older] + list(found.ops) == ops[:count]
        assert (found.damage, found.end, found.size) == (None, ends[count], cut)


@pytest.mark.parametrize("tail", [b"{", b"\0" * 5000, b'{"n":5', b"\xff"])
def test_what_follows_the_last_whole_line_is_ignored(tail, path):
    found = read_journal(written(path, *lines_of(*OPS), tail))
    assert (list(found.ops), found.damage) == (OPS, None)


def test_a_damaged_line_is_named_and_what_precedes_it_used(path):
    lines = lines_of(*OPS)
    lines[2] = lines[2].replace(b"objects", b"objectx")
    found = read_journal(written(path, *lines))
    assert list(found.ops) == OPS[:2]
    assert found.damage is not None
    assert found.damage.startswith("line 4 is damaged (its checksum is wrong)")
    assert "from there on is left out" in found.damage
    assert (found.last_number, found.end < found.size) == (2, True)


def test_a_damaged_last_line_is_named(path):
    found = read_journal(written(path, *lines_of(*OPS), b"nonsense\n"))
    assert list(found.ops) == OPS
    assert "line 6 is damaged" in found.damage


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_gap_is_damage(missing, path):
    lines = lines_of(*OPS)
    del lines[missing]
    found = read_journal(written(path, *lines))
    assert list(found.ops) == OPS[:missing]
    assert f"has the number {missing + 2} instead of {missing + 1}" in found.damage


def test_a_line_that_is_there_twice_is_damage(path):
    lines = lines_of(*OPS)
    found = read_journal(written(path, *lines[:2], lines[1], *lines[2:]))
    assert list(found.ops) == OPS[:2]
    assert "has the number 2 instead of 3" in found.damage


def test_a_checkpoint_makes_up_for_damage_before_it(path):
    lines = lines_of(*OPS, CHECKPOINT, *OPS)
    lines[1] = b"nonsense\n"
    found = read_journal(written(path, *lines))
    assert found.older == ()
    assert list(found.ops) == [CHECKPOINT, *OPS]
    assert found.damage.startswith("line 3 is damaged")
    assert "before line 6 cannot be undone" in found.damage
    assert (found.end, found.last_number) == (found.size, 9)


def test_the_first_checkpoint_after_damage_is_where_undo_ends(path):
    lines = lines_of(*OPS, CHECKPOINT, *OPS, CHECKPOINT, *OPS)
    lines[1] = b"nonsense\n"
    found = read_journal(written(path, *lines))
    assert [op.decode() for op in found.older] == [CHECKPOINT, *OPS]
    assert list(found.ops) == [CHECKPOINT, *OPS]


def test_a_damaged_checkpoint_is_no_help(path):
    lines = lines_of(*OPS, CHECKPOINT, *OPS)
    lines[1], lines[4] = b"nonsense\n", lines[4].replace(b"points", b"pointz")
    found = read_journal(written(path, *lines))
    assert list(found.ops) == OPS[:1]
    assert found.damage.startswith("line 3 is damaged")
    assert "left out" in found.damage


def test_damage_after_the_checkpoint_that_made_up_for_other_damage(path):
    lines = lines_of(*OPS, CHECKPOINT, *OPS)
    lines[1] = lines[6] = b"nonsense\n"
    found = read_journal(written(path, *lines))
    assert list(found.ops) == [CHECKPOINT, OPS[0]]
    assert found.damage.startswith("line 3 is damaged")
    assert found.end < found.size


@given(st.data())
def test_damage_of_any_kind_is_survived(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.samproject"
    whole = b"".join(lines_of(*OPS, CHECKPOINT, *OPS))
    at = data.draw(st.integers(0, len(whole)))
    until = data.draw(st.integers(at, min(len(whole), at + 300)))
    spoiled = whole[:at] + data.draw(st.binary(max_size=50)) + whole[until:]
    found = read_journal(written(path, spoiled))
    begin = [op.decode() for op in found.older] + list(found.ops)
    all_ops = [*OPS, CHECKPOINT, *OPS]
    assert begin in [all_ops[:n] for n in range(10)] + [all_ops[4:n] for n in range(10)]


def test_a_deep_checkpoint_with_a_right_checksum_is_left_out(path, monkeypatch):
    deep = {"op": "checkpoint", "state": 0}
    lines = lines_of(*OPS)
    monkeypatch.setattr(
        "napari_sam_decoder.project.journal_lines._dumped",
        lambda value: json.dumps(value).replace("0", "[" * 100_000).encode(),
    )
    bomb = op_line(5, deep)
    monkeypatch.undo()
    found = read_journal(written(path, *lines, bomb))
    assert list(found.ops) == OPS
    assert "line 6 of the project file is damaged" in found.damage


def test_a_file_of_empty_lines_is_read_quickly(path):
    found = read_journal(written(path, b"\n" * 5_000_000))
    assert found.ops == ()
    assert "line 2 is damaged" in found.damage


# Writing


def test_ops_are_written_in_order_and_numbered(writer, path):
    for op in OPS:
        writer.write(op)
    assert writer.flush()
    assert path.read_bytes() == HEADER.line() + b"".join(lines_of(*OPS))
    assert (writer.is_saved, writer.failure) == (True, None)
    assert writer.saved_at is not None


def test_before_anything_is_written_nothing_is_unsaved(writer):
    assert (writer.is_saved, writer.saved_at, writer.failure) == (True, None, None)


def test_ops_reach_the_file_without_being_asked_for(writer, path):
    was_encoded = threading.Event()
    writer.write(OPS[0])
    writer.flush()
    writer.write(OPS[1])
    for _ in range(500):
        if len(read_journal(path).ops) == 2:
            return
        was_encoded.wait(0.01)
    pytest.fail("the second op was not written")


def test_encoding_is_done_in_the_other_thread(path):
    threads = []

    def encode(number):
        threads.append(threading.current_thread())
        return {"op": "step", "number": number}

    with closing(JournalWriter.create(path, HEADER, encode=encode)) as writer:
        writer.write(7)
    assert [op["number"] for op in read_journal(path).ops] == [7]
    assert threads[0] is not threading.current_thread()


def test_ops_of_several_threads_are_all_written(writer, path):
    def write_some():
        for _ in range(200):
            writer.write({"op": "step"})

    threads = [threading.Thread(target=write_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush()
    assert len(read_journal(path).ops) == 800


def test_closing_writes_what_waits_and_ends_the_thread(path):
    before = threading.active_count()
    writer = JournalWriter.create(path, HEADER)
    for op in OPS * 50:
        writer.write(op)
    writer.close()
    writer.close()
    assert len(read_journal(path).ops) == 200
    assert threading.active_count() == before
    with pytest.raises(ClosedError, match="open it again"):
        writer.write(OPS[0])
    assert writer.flush()


def test_a_new_project_never_overwrites(path):
    path.write_text("mine")
    with pytest.raises(ProjectError, match="exists; choose another name"):
        JournalWriter.create(path, HEADER)
    assert path.read_text() == "mine"


def test_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.samproject"
    JournalWriter.create(path, HEADER).close()
    assert read_journal(path).header == HEADER


def test_a_folder_that_cannot_be_made_names_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match=r"cannot write the project.*; choose"):
        JournalWriter.create(tmp_path / "file" / "c.samproject", HEADER)


def test_one_goes_on_where_one_stopped(path):
    with closing(JournalWriter.create(path, HEADER)) as writer:
        writer.write(OPS[0])
    writer, found = JournalWriter.append_to(path)
    with closing(writer):
        assert list(found.ops) == OPS[:1]
        assert writer.is_saved
        for op in OPS[1:]:
            writer.write(op)
    assert path.read_bytes() == HEADER.line() + b"".join(lines_of(*OPS))


@pytest.mark.parametrize("separator", ["", " "])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_file_of_an_earlier_version_becomes_one_of_this_when_one_goes_on(
    path, version, separator
):
    earlier = f'"version":{separator}{version}'.encode()
    older = HEADER.line().replace(b'"version":5', earlier)
    path.write_bytes(older + b"".join(lines_of(*OPS[:2])))
    assert read_journal(path).ops == tuple(OPS[:2])
    assert path.read_bytes().startswith(older)
    writer, found = JournalWriter.append_to(path)
    with closing(writer):
        assert list(found.ops) == OPS[:2]
        writer.write(OPS[2])
    current = HEADER.line().replace(b'"version":', f'"version":{separator}'.encode())
    assert path.read_bytes() == current + b"".join(lines_of(*OPS[:3]))


def test_a_truncated_line_is_cut_off_before_one_goes_on(path):
    written(path, *lines_of(*OPS[:2]), b'{"n":3,"op":"st')
    writer, found = JournalWriter.append_to(path)
    with closing(writer):
        writer.write(OPS[2])
    assert found.damage is None
    assert list(read_journal(path).ops) == OPS[:3]
    assert not list(path.parent.glob("*.damaged"))


def test_lines_that_cannot_be_used_are_kept_beside_the_project(path):
    lines = lines_of(*OPS)
    lines[1] = b"nonsense\n"
    content = written(path, *lines).read_bytes()
    for number in (1, 2):
        path.write_bytes(content)
        writer, found = JournalWriter.append_to(path)
        with closing(writer):
            writer.write(OPS[3])
        assert "line 3" in found.damage
        assert list(read_journal(path).ops) == [OPS[0], OPS[3]]
        assert Path(f"{path}.{number}.damaged").read_bytes() == content


def test_damage_before_a_checkpoint_stays_where_it_is(path):
    lines = lines_of(*OPS, CHECKPOINT)
    lines[1] = b"nonsense\n"
    content = written(path, *lines).read_bytes()
    writer, _ = JournalWriter.append_to(path)
    with closing(writer):
        writer.write(OPS[0])
    assert path.read_bytes() == content + op_line(6, OPS[0])
    assert list(read_journal(path).ops) == [CHECKPOINT, OPS[0]]


def test_going_on_in_a_project_that_is_gone_leaves_nothing_behind(path):
    with pytest.raises(ProjectError, match="check the path"):
        JournalWriter.append_to(path)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_no_project_is_not_locked_for_good(path):
    path.write_text("mine\n")
    for _ in range(2):
        with pytest.raises(ProjectError, match="is not a project"):
            JournalWriter.append_to(path)
    assert not is_open(path)
    assert path.read_text() == "mine\n"


# Two writers


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(journal, "_LOCK_PAUSE", 0.001)


@pytest.mark.usefixtures("hasty")
def test_a_second_writer_is_told(writer, path):
    with pytest.raises(ProjectError, match="another window or process; close it there"):
        JournalWriter.append_to(path)
    with pytest.raises(ProjectError, match="another window"):
        JournalWriter.create(path, HEADER)
    writer.close()
    JournalWriter.append_to(path)[0].close()


def test_who_looks_whether_it_is_open_is_in_nobodys_way(writer, path):
    assert is_open(path)
    writer.close()
    assert not is_open(path)
    JournalWriter.append_to(path)[0].close()


def test_what_was_never_open_has_no_lock(path):
    written(path)
    assert not is_open(path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.usefixtures("hasty")
def test_a_killed_writer_loses_nothing_and_blocks_nobody(path):
    written(path)
    command = [sys.executable, str(WORKER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(50)]
        with pytest.raises(ProjectError, match="another window or process"):
            JournalWriter.append_to(path)
        process.send_signal(signal.SIGKILL)
        said += process.stdout.readlines()
    last = int(said[-1]) if said[-1].endswith("\n") else int(said[-2])
    writer, found = JournalWriter.append_to(path)
    writer.close()
    assert found.damage is None
    # The last one may have been in work.
    assert last <= len(found.ops) <= last + 2


def test_at_the_end_of_a_process_all_is_written(path):
    code = (
        "import sys; from pathlib import Path\n"
        "from napari_sam_decoder.project.journal import JournalWriter\n"
        "writer, _ = JournalWriter.append_to(Path(sys.argv[1]))\n"
        "for _ in range(500): writer.write({'op': 'step', 'changes': ['x' * 999]})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(written(path))], check=True)
    assert len(read_journal(path).ops) == 500


# Faults


@contextmanager
def failing(monkeypatch, number=errno.ENOSPC, half=False):
    """The disk writes nothing, or half a line, and then fails."""

    def fail(self, line):
        if half:
            self._is_ragged = True
            os.pwrite(self._file.fileno(), line[: len(line) // 2], self._end)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(JournalFile, "_write", fail)
        yield


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EROFS, "check its permissions"),
        (errno.EIO, "check the disk"),
    ],
)
def test_a_fault_is_reported_once_and_nothing_is_lost(
    number, remedy, writer, path, failures, monkeypatch
):
    writer.write(OPS[0])
    writer.flush()
    with failing(monkeypatch, number, half=os.name != "nt"):
        for op in OPS[1:3]:
            writer.write(op)
            assert not writer.flush()
        assert not writer.is_saved
        assert str(writer.failure).startswith("changes are not saved to")
        assert remedy in str(writer.failure)
        assert list(read_journal(path).ops) == OPS[:1]
    assert [str(error) for error in failures] == [str(writer.failure)]
    writer.write(OPS[3])
    writer.retry()
    assert writer.flush()
    assert writer.failure is None
    assert list(read_journal(path).ops) == OPS
    assert read_journal(path).end == path.stat().st_size


def test_a_second_fault_is_reported_again(writer, failures, monkeypatch):
    for op in OPS[:2]:
        with failing(monkeypatch):
            writer.write(op)
            writer.flush()
        assert writer.flush()
    assert len(failures) == 2


def test_it_is_tried_again_after_a_while(writer, path, monkeypatch):
    monkeypatch.setattr(journal, "_RETRY_SECONDS", 0.01)
    with failing(monkeypatch):
        writer.write(OPS[0])
        writer.flush()
    for _ in range(500):
        if writer.is_saved:
            break
        threading.Event().wait(0.01)
    assert list(read_journal(path).ops) == OPS[:1]


def test_what_the_disk_did_not_take_in_the_end_is_written_again(
    writer, path, monkeypatch
):
    """As network disks, which say only then that they are full."""
    writer.write(OPS[0])
    writer.flush()
    monkeypatch.setattr(journal, "_SYNC_SECONDS", 0.0)
    writer._sync_at = 0.0
    with no_sync(monkeypatch):
        writer.write(OPS[1])
        assert not writer.flush()
        assert "No space left" in str(writer.failure)
        # The disk has lost what it could not keep.
        os.truncate(path, len(HEADER.line()) + len(op_line(1, OPS[0])))
    writer.write(OPS[2])
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:3]


@contextmanager
def no_sync(monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("napari_sam_decoder.project.journal_file.os.fsync", fail)
        yield


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_deleted_file_is_written_again(writer, path, failures):
    writer.write(OPS[0])
    writer.flush()
    path.unlink()
    writer.write(OPS[1])
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:2]
    assert failures == []


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_another_file_in_its_place_is_left_alone(writer, path, failures):
    writer.write(OPS[0])
    writer.flush()
    path.unlink()
    path.write_text("mine")
    writer.write(OPS[1])
    assert not writer.flush()
    assert "was replaced by another file" in str(failures[0])
    assert path.read_text() == "mine"
    path.unlink()
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:2]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_what_cannot_be_written_can_be_had_although_another_file_is_there(writer, path):
    writer.write(OPS[0])
    writer.flush()
    path.unlink()
    path.write_text("mine")
    writer.write(OPS[1])
    assert not writer.flush()
    assert writer.content() == HEADER.line() + b"".join(lines_of(*OPS[:2]))
    assert path.read_text() == "mine"


def test_what_a_full_disk_does_not_take_can_be_had(writer, monkeypatch):
    writer.write(OPS[0])
    writer.flush()
    with failing(monkeypatch):
        for op in OPS[1:]:
            writer.write(op)
        assert not writer.flush()
        assert writer.content() == HEADER.line() + b"".join(lines_of(*OPS))


def test_what_cannot_be_had_is_told(path):
    with closing(JournalWriter.create(path, HEADER)) as writer:
        writer.write(OPS[0])
        writer.flush()
        os.truncate(path, 10)
        with pytest.raises(ProjectError, match="save the labels as a file"):
            writer.content()
    with pytest.raises(ClosedError):
        writer.content()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_a_folder_that_was_away_and_is_back(writer, path, failures, tmp_path):
    writer.write(OPS[0])
    writer.flush()
    folder, aside = path.parent, tmp_path.parent / f"{tmp_path.name}-aside"
    folder.rename(aside)
    writer.write(OPS[1])
    assert not writer.flush()
    assert "check the path" in str(failures[0])
    aside.rename(folder)
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:2]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_the_same_file_on_a_disk_that_was_away(writer, path, failures):
    """It has another number then."""
    writer.write(OPS[0])
    writer.flush()
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    writer.write(OPS[1])
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:2]
    assert failures == []


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps open files")
def test_what_cannot_be_read_any_more_is_not_restored(writer, path, failures):
    """As if the disk had gone with the file."""
    writer.write(OPS[0])
    writer.flush()
    content = path.read_bytes()
    os.truncate(path, 10)
    path.unlink()
    writer.write(OPS[1])
    assert not writer.flush()
    assert not path.exists()
    assert "check the path" in str(failures[0])
    path.write_bytes(content)
    assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:2]


def test_a_lock_that_cannot_be_opened_is_held_by_nobody(path, monkeypatch):
    def refuse(lock_file):
        raise PermissionError(errno.EACCES, "permission denied")

    JournalWriter.create(path, HEADER).close()
    monkeypatch.setattr(journal, "FileLock", refuse)
    assert not is_open(path)


def test_closing_a_project_that_cannot_be_written_says_so(path, failures, monkeypatch):
    writer = JournalWriter.create(path, HEADER, on_failure=failures.append)
    with failing(monkeypatch):
        writer.write(OPS[0])
        writer.close()
    assert not writer.is_saved
    assert [str(error) for error in failures] == [str(writer.failure)]
    assert not is_open(path)


def test_an_op_that_cannot_be_encoded_is_no_silent_loss(writer, path, failures):
    writer.write(OPS[0])
    writer.write({"op": "step", "changes": [object()]})
    assert not writer.flush()
    assert "object is no value of JSON" in str(failures[0])
    assert "report this as a bug" in str(failures[0])
    with pytest.raises(ProjectError, match="report this as a bug"):
        writer.content()
    assert list(read_journal(path).ops) == OPS[:1]


@pytest.mark.parametrize("error", [KeyError, TypeError, MemoryError, ProjectError])
def test_a_checkpoint_that_fails_does_not_stop_the_writer(error, writer, path, caplog):
    def fail(_):
        raise error("no such thing")

    writer.write(OPS[0])
    writer.write_checkpoint(fail)
    writer.write(OPS[1])
    saved = []
    waiting = threading.Thread(target=lambda: saved.append(writer.flush()), daemon=True)
    waiting.start()
    waiting.join(20)
    assert saved == [True]
    assert list(read_journal(path).ops) == OPS[:2]
    assert "no checkpoint was written" in caplog.text


def test_a_listener_that_fails_does_not_stop_the_writer(path, monkeypatch, caplog):
    def listen(error):
        raise ZeroDivisionError

    with closing(JournalWriter.create(path, HEADER, on_failure=listen)) as writer:
        with failing(monkeypatch), caplog.at_level(logging.CRITICAL + 1):
            writer.write(OPS[0])
            writer.flush()
        assert writer.flush()
    assert list(read_journal(path).ops) == OPS[:1]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_a_disk_that_is_full_in_the_middle_of_a_line(path):
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from napari_sam_decoder.project.journal import JournalWriter, read_journal\n"
        "path = Path(sys.argv[1])\n"
        "writer, _ = JournalWriter.append_to(path)\n"
        "no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, no_limit[1]))\n"
        "for n in range(10): writer.write({'op': 'step', 'changes': ['x' * 990]})\n"
        "assert not writer.flush()\n"
        "assert path.stat().st_size == 5000\n"
        "print(writer.failure, len(read_journal(path).ops))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)\n"
        "assert writer.flush()\n"
        "assert len(read_journal(path).ops) == 10\n"
    )
    command = [sys.executable, "-c", code, str(written(path))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"File too large.*free some disk space.* 4\n", done.stdout)
    assert read_journal(path).size == read_journal(path).end
