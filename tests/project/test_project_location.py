from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import platformdirs
import pytest

from napari_sam_decoder.cache import cache_root
from napari_sam_decoder.errors import ProjectError
from napari_sam_decoder.project.journal import JournalWriter
from napari_sam_decoder.project.journal_lines import ProjectHeader
from napari_sam_decoder.project.location import (
    copy_decoders,
    find_decoder,
    find_projects,
    is_learned,
    new_decoder_path,
    new_project_path,
    projects_root,
    require_replaceable,
)
from napari_sam_decoder.project.movie_identity import MovieIdentity

MOVIE = MovieIdentity("/data/cells.tif", "cells", (5, 8, 9), "uint16", "ab" * 32)
OP = {"op": "step", "title": "Point added"}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_SAM_DECODER_PROJECTS", str(tmp_path / "projects"))
    return tmp_path / "projects"


def make(path=None, movie=MOVIE, ops=1):
    path = path or new_project_path(movie)
    with closing(JournalWriter.create(path, ProjectHeader(movie, "tiny"))) as writer:
        for _ in range(ops):
            writer.write(OP)
    return path


def test_the_variable_names_the_folder(root):
    assert projects_root() == root


@pytest.mark.parametrize("value", [None, ""])
def test_projects_lie_with_the_users_data_and_not_in_a_cache(value, monkeypatch):
    if value is None:
        monkeypatch.delenv("NAPARI_SAM_DECODER_PROJECTS")
    else:
        monkeypatch.setenv("NAPARI_SAM_DECODER_PROJECTS", value)
    data = Path(platformdirs.user_data_dir("napari-sam-decoder", appauthor=False))
    assert projects_root() == data / "projects"
    assert cache_root() not in (projects_root(), *projects_root().parents)


def test_a_new_path_names_the_movie_and_is_unused(root):
    assert new_project_path(MOVIE) == root / "abababababab-cells-1.samproject"
    make()
    assert new_project_path(MOVIE) == root / "abababababab-cells-2.samproject"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("a b:c*d.tif", "a_b_c_d.tif"),
        ("zellen µ", "zellen_µ"),
        ("", "movie"),
        ("...", "movie"),
        ("µ" * 500, "µ" * 30),
        ("x\0y\n", "x_y"),
    ],
)
def test_any_name_of_a_movie_makes_a_file(name, safe, root):
    movie = replace(MOVIE, name=name)
    path = make(movie=movie)
    assert path == root / f"abababababab-{safe}-1.samproject"
    assert find_projects(MOVIE.digest)[0].header.movie.name == name


def test_without_projects_none_is_found():
    assert find_projects(MOVIE.digest) == []


def test_the_last_written_project_comes_first():
    paths = [make() for _ in range(3)]
    for path, time in zip(paths, (200, 300, 100), strict=True):
        os.utime(path, (time, time))
    found = find_projects(MOVIE.digest)
    assert [one.path for one in found] == [paths[1], paths[0], paths[2]]
    assert found[0].saved_at.timestamp() == 300
    assert found[0].size == paths[1].stat().st_size
    assert found[0].header.movie == MOVIE


def test_projects_of_other_movies_are_left_out():
    make(movie=replace(MOVIE, digest="cd" * 32))
    # The part of the digest that is in the name of the file is the same.
    make(movie=replace(MOVIE, digest=MOVIE.digest[:-1] + "0"))
    assert find_projects(MOVIE.digest) == []


def test_what_cannot_be_read_is_left_out(root):
    path = make()
    for number, content in enumerate([b"", b"nonsense\n", b"{}\n"], 2):
        root.joinpath(f"abababababab-cells-{number}.samproject").write_bytes(content)
    root.joinpath("abababababab-folder-1.samproject").mkdir()
    assert [one.path for one in find_projects(MOVIE.digest)] == [path]


def test_a_project_that_is_open_says_so():
    path = make()
    writer, _ = JournalWriter.append_to(path)
    with closing(writer):
        assert find_projects(MOVIE.digest)[0].is_open
    assert not find_projects(MOVIE.digest)[0].is_open


@pytest.mark.parametrize("is_there", [True, False])
def test_a_copy_overwrites_only_if_it_is_told_to(is_there, tmp_path):
    path, copy = make(), tmp_path / "copy.samproject"
    if not is_there:
        path.unlink()
    require_replaceable(copy, path)
    copy.write_text("mine")
    with pytest.raises(ProjectError, match="exists; choose another name"):
        require_replaceable(copy, path)
    require_replaceable(copy, path, overwrite=True)


def test_a_project_is_not_copied_onto_itself():
    path = make()
    with pytest.raises(ProjectError, match="is the project itself"):
        require_replaceable(path.parent / "." / path.name, path, overwrite=True)


def test_a_project_that_is_open_is_not_replaced():
    path, other = make(), make()
    writer, _ = JournalWriter.append_to(other)
    with closing(writer), pytest.raises(ProjectError, match="close it there"):
        require_replaceable(other, path, overwrite=True)


def test_a_learned_decoder_lies_beside_its_project(tmp_path):
    project = tmp_path / "cells.samproject"
    first = new_decoder_path(project)
    assert first == tmp_path / "cells.learned-1.safetensors"
    first.touch()
    assert new_decoder_path(project).name == "cells.learned-2.safetensors"
    assert is_learned(first)
    assert not is_learned("sharp")
    assert not is_learned(tmp_path / "mine.safetensors")


@pytest.mark.parametrize("folder", ["/elsewhere/", "C:\\elsewhere\\", ""])
def test_a_learned_decoder_is_found_where_its_project_is(tmp_path, folder):
    project = tmp_path / "copy.samproject"
    named = f"{folder}cells.learned-1.safetensors"
    assert find_decoder(named, project) == named
    beside = tmp_path / "cells.learned-1.safetensors"
    beside.touch()
    assert find_decoder(named, project) == str(beside)
    assert find_decoder(named, None) == named
    assert find_decoder("sharp", project) == "sharp"


def test_learned_decoders_go_with_a_copy(tmp_path):
    project = tmp_path / "cells.samproject"
    (tmp_path / "cells.learned-1.safetensors").write_text("mine")
    folder = tmp_path / "copies"
    folder.mkdir()
    names = ["cells.learned-1.safetensors", "cells.learned-2.safetensors", "sharp"]
    copy_decoders(names, project, folder / "copy.samproject")
    assert [one.name for one in folder.iterdir()] == names[:1]
    assert (folder / names[0]).read_text() == "mine"


def test_a_decoder_that_cannot_be_copied_is_told(tmp_path):
    project = tmp_path / "cells.samproject"
    (tmp_path / "cells.learned-1.safetensors").write_text("mine")
    with pytest.raises(ProjectError, match="cannot copy the decoder"):
        copy_decoders(
            ["cells.learned-1.safetensors"], project, tmp_path / "no" / "c.samproject"
        )
