"""The labels of a project, written to a file with what they were made from."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import LabelsError, OptionError, ProjectError
from napari_sam_decoder.formats import LabelMovie, LabelSink, read_provenance
from napari_sam_decoder.formats.exchange.plain_labels import write_plain_labels
from napari_sam_decoder.formats.movie_source import FrameArray
from napari_sam_decoder.jobs.provenance import describe_prompts
from napari_sam_decoder.labels import without_objects
from napari_sam_decoder.project import MovieCut, background_objects, scope_of
from napari_sam_decoder.prompts import PromptSet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam_decoder.project import Document, History, Project, TargetRecord

__all__ = [
    "choose_target",
    "project_label_movie",
    "require_own_output",
    "require_project",
    "write_all_labels",
    "write_labels",
]


def require_project(path: Path) -> None:
    """Refuse a path where there is no file.

    Raises
    ------
    ProjectError
        If there is none.
    """
    if not path.exists():
        raise ProjectError(
            f"there is no project {path}; make one with segment --project, or check "
            "the name"
        )


def require_own_output(path: Path | None, project: Project, *, replace: bool) -> None:
    """Refuse to overwrite labels that are not from a project.

    Parameters
    ----------
    path : Path, optional
        Where its labels are to go.
    project : Project
        Its labels may be replaced.
    replace : bool
        Whether others may be as well.

    Raises
    ------
    OptionError
        If others are there.
    """
    if path is None or replace or not path.exists() or project.path is None:
        return
    if read_provenance(path).get("project") != project.path.name:
        raise OptionError(
            f"{path} has labels that are not from the project {project.path.name}; "
            "replace them with --replace (in Python replace=True), or choose another "
            "output"
        )


def choose_target(document: Document, name: str | None) -> int:
    """Find labels of a project by their name.

    Parameters
    ----------
    document : Document
        Of the project.
    name : str, optional
        May be left out if there is only one.

    Returns
    -------
    int
        The number of the target.

    Raises
    ------
    ProjectError
        If there are none of that name, or several.
    """
    targets: Mapping[int, TargetRecord] = document.table("targets")
    if not targets:
        raise ProjectError(
            "the project has no labels yet; run or paint something first"
        )
    named = [one for one in targets if name in (None, targets[one].name)]
    if len(named) == 1:
        return named[0]
    names = ", ".join(repr(targets[one].name) for one in sorted(targets))
    asked = "several" if name is None else f"not exactly one named {name!r}"
    raise ProjectError(f"of the labels {names} there is {asked}; choose with --target")


def write_labels(project: Project, number: int, labels: np.ndarray, path: Path) -> None:
    """Write labels of a project to a file, whole or not at all.

    Parameters
    ----------
    project, number, labels
        As for `project_label_movie`.
    path : Path
        ``.zarr`` or ``.tif``.

    Raises
    ------
    FormatError
        If they cannot be written there.
    LabelsError
        If a file of frames cannot hold them.
    """
    movie = project_label_movie(project, number, labels)
    for _ in write_plain_labels(movie, path):
        pass


def write_all_labels(
    project: Project, number: int, labels: np.ndarray, axes: str, path: Path
) -> None:
    """Write labels of a project of several positions, with all of their axes.

    Parameters
    ----------
    project, number, labels
        As for `project_label_movie`.
    axes : str
        A letter for each axis of the movie, such as "TZYX".
    path : Path
        ``.zarr`` or ``.tif``.

    Raises
    ------
    FormatError
        If they cannot be written there.
    """
    document = project.history.document
    background = background_objects(document)
    letters = axes.removesuffix("C")
    cuts = sorted(_cuts(document, number), key=lambda cut: cut.fixed)
    noted = [_provenance(project, number, cut) for cut in cuts]
    positions = [
        {
            "at": {letters[axis]: index for axis, index in cut.fixed},
            "contrast": one["contrast"],
            "prompts": one["prompts"],
        }
        for cut, one in zip(cuts, noted, strict=True)
    ]
    with LabelSink(path, labels.shape, labels.dtype, letters) as sink:
        for frame, place in enumerate(np.ndindex(labels.shape[:-2])):
            sink.write(frame, without_objects(labels[place], background))
        sink.finish({**noted[0], "axes": letters, "positions": positions})


def project_label_movie(
    project: Project, number: int, labels: np.ndarray
) -> LabelMovie:
    """Return labels of a project with what it knows of their objects.

    Background objects are left out.

    Parameters
    ----------
    project : Project
        With a file.
    number : int
        Of the target.
    labels : array of int
        All of them, as the target has them.

    Raises
    ------
    LabelsError
        If they are no stack of frames.
    """
    document = project.history.document
    background = background_objects(document)
    used = _cuts(document, number)
    cut = _written_cut(labels.shape, used)
    provenance = _provenance(project, number, cut)

    def plane(frame: int) -> np.ndarray:
        return without_objects(labels[cut.index(frame)], background)

    return LabelMovie(
        FrameArray((len(cut), *cut.frame_shape), labels.dtype, plane),
        str(provenance["axes"]).removesuffix("C").rjust(3, "T"),
        names={key: one["name"] for key, one in provenance["objects"].items()},
        parents={
            key: one["parent"]
            for key, one in provenance["objects"].items()
            if one["parent"] is not None
        },
        provenance=provenance,
    )


def _cuts(document: Document, number: int) -> set[MovieCut]:
    """The cuts on which something was made in labels."""
    shape = document.table("targets")[number].shape
    return {
        MovieCut.of_scope(shape, table.scope[1:])
        for table in document.tables
        if table.name in ("made", "frames") and table.scope[:1] == (number,) and table
    }


def _written_cut(shape: tuple[int, ...], used: set[MovieCut]) -> MovieCut:
    if len(shape) <= _MOST_AXES:
        return MovieCut(shape, 0 if len(shape) == _MOST_AXES else None)
    if len(used) == 1:
        return next(iter(used))
    raise LabelsError(
        f"labels of shape {shape} are no stack of frames; open the project in the "
        "window and save the layer there"
    )


_MOST_AXES = 3


def _provenance(project: Project, number: int, cut: MovieCut) -> dict[str, Any]:
    header, document = project.header, project.history.document
    if header is None or project.path is None:
        raise ProjectError("the project has no file yet; save it first")
    made_with = last_made_with(project.history, number, cut)
    reading = document.table("options").get("reading", {})
    made = document.table("made", number, *scope_of(cut))
    source = header.movie.source
    return {
        "software": "napari-sam-decoder",
        "version": version("napari-sam-decoder"),
        "project": project.path.name,
        "model": made_with.get("model", header.model),
        "decoder": made_with.get("decoder"),
        "movie": header.movie.name if source is None else PurePath(source).name,
        "channel": reading.get("channel"),
        "series": reading.get("series"),
        "at": reading.get("at"),
        "axes": made_with.get("axes", "TYX"[-len(cut.spatial_shape) :]),
        "contrast": made_with.get("contrast", header.contrast),
        "frames": [0, len(cut)],
        "settings": made_with.get("settings", {}),
        "prompts": describe_prompts(PromptSet(made.values())),
        "background": sorted(background_objects(document)),
        "objects": {
            object_id: {"name": one.name, "parent": one.parent}
            for object_id, one in document.table("objects").items()
            if not one.is_background
        },
    }


def last_made_with(history: History, number: int, cut: MovieCut) -> dict[str, Any]:
    """Return what the last run or correction of a target depended on, on a cut."""
    fixed = [list(pair) for pair in cut.fixed]
    for step in reversed(history.done):
        details = step.details
        is_here = details.get("target") == number and details.get("fixed") == fixed
        if is_here and "model" in details:
            return details
    return {}
