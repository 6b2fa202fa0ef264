"""Convert labels to the formats of other programs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.formats import (
    UNIT_SYMBOLS,
    LabelMovie,
    checked_scale,
    export_format,
    read_label_movie,
    unit_name,
)
from napari_sam_decoder.jobs.inputs import require_job, require_kinds, set_paths
from napari_sam_decoder.jobs.outputs import no_progress, require_apart, require_unused
from napari_sam_decoder.jobs.project_labels import (
    choose_target,
    project_label_movie,
    require_project,
)
from napari_sam_decoder.project import Project
from napari_sam_decoder.project.location import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_sam_decoder.formats import ExportFormat
    from napari_sam_decoder.jobs.outputs import Progress

__all__ = ["ConvertJob", "convert_labels"]


@dataclass(frozen=True)
class ConvertJob:
    """Which labels to convert, and to what.

    Attributes
    ----------
    labels : Path
        Labels in a file, or a project.
    output : Path
        Its name says the format, see `export_format`.
    format : str, optional
        Name of a format, if the output's name is to say nothing.
    axes : {"TYX", "ZYX"}, optional
        By default as the labels say.
    scale : (float, float, float), optional
        Size of a pixel along each of these; by default as the labels say.
    unit : str
        Of the scale, as OME-Zarr or OME-XML spell it: "micrometer" or "µm".
    target : str, optional
        Which labels, if the project has several.
    replace : bool
        Whether to replace the output if it exists.
    at : mapping of str to int, optional
        The position in labels of more axes, as in `open_movie`: these formats hold the
        labels of one movie. Not for a project.
    """

    labels: Path
    output: Path
    format: str | None = None
    axes: str | None = None
    scale: tuple[float, float, float] | None = None
    unit: str = ""
    target: str | None = None
    replace: bool = False
    at: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        set_paths(self, "labels", "output")
        require_kinds(self, format=str, target=str, unit=str)
        unit = unit_name(self.unit)
        if unit and unit not in UNIT_SYMBOLS:
            raise OptionError(
                f"there is no unit {self.unit!r}; use one of {', '.join(UNIT_SYMBOLS)}"
            )
        object.__setattr__(self, "unit", unit)
        if self.scale is not None:
            object.__setattr__(self, "scale", checked_scale(self.scale))

    @property
    def export_format(self) -> ExportFormat:
        """The format that is written.

        Raises
        ------
        OptionError, FormatError
            If there is none of that name, or the output's name asks for none.
        """
        return export_format(self.output, self.format)

    def check(self) -> ExportFormat:
        """Refuse an output that cannot be written, or would destroy a file.

        Raises
        ------
        OptionError, FormatError, ProjectError
            If one is refused, or there is no project.
        """
        chosen = self.export_format
        require_apart([self.output], [self.labels])
        if self.target is not None and not self.is_project:
            raise OptionError(
                f"{self.labels.name} is not a project, so it has no labels named "
                f"{self.target!r}; leave --target out"
            )
        if self.at and self.is_project:
            raise OptionError(
                f"the labels of {self.labels.name} are those of one movie; leave --at "
                "out"
            )
        if not self.replace:
            require_unused(self.output)
        return chosen

    @property
    def is_project(self) -> bool:
        """Whether the labels are those of a project."""
        return self.labels.suffix.lower() == SUFFIX

    def read(self) -> LabelMovie:
        """Open the labels.

        Raises
        ------
        SamDecoderError
            If they cannot be read.
        """
        movie = self._of_project() if self.is_project else self._of_file()
        if self.scale is None:
            return movie
        return replace(movie, scale=self.scale, unit=self.unit)

    def _of_file(self) -> LabelMovie:
        return read_label_movie(self.labels, self.axes, self.at)

    def _of_project(self) -> LabelMovie:
        require_project(self.labels)
        project, labels = Project.open(self.labels, is_read_only=True)
        number = choose_target(project.history.document, self.target)
        movie = project_label_movie(project, number, labels[number])
        return movie if self.axes is None else replace(movie, axes=self.axes)


def convert_labels(job: ConvertJob, progress: Progress = no_progress) -> None:
    """Convert labels to another format.

    Parameters
    ----------
    job : ConvertJob
        Which labels, and to what.
    progress : Progress, optional
        Gets the frames as they are done.

    Raises
    ------
    SamDecoderError
        If the labels cannot be used, or not be written. The output is then unchanged.
    """
    require_job(job, ConvertJob)
    chosen = job.check()
    movie = job.read()
    written = chosen.write(movie, job.output.absolute())
    for _ in progress(written, total=chosen.passes * len(movie), what="writing"):
        pass
