"""What a batch is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_sam_decoder.jobs.inputs import (
    MovieOptions,
    require_kinds,
    set_integers,
    set_paths,
)
from napari_sam_decoder.propagation import Settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BatchJob"]


@dataclass(frozen=True)
class BatchJob:
    """Which movies to segment from which points, and where the results go.

    Attributes
    ----------
    movies : MovieOptions
        The folder, how its movies are read, and which frames of each are used, as far
        as it has them. A folder for the embeddings gets one of each movie in it.
    output : Path
        Folder for the results; that of an earlier run is continued.
    pattern : str
        Which files or folders in the folder are movies, such as ``*/frames``.
    points : str, optional
        A table of points with a column ``movie``; or a table per movie, whose path has
        ``{name}`` for the movie's name or ``{folder}`` for its folder.
    auto : tuple of int
        Frames on which objects are looked for, as in `SegmentJob`, as far as a movie
        has them. Movies then need no points.
    settings : Settings
        How objects are followed.
    replace : bool
        Whether to do everything again.
    suffix : str
        Of the labels: ``.tif`` or ``.zarr``.
    """

    movies: MovieOptions
    output: Path
    pattern: str = "*"
    points: str | None = None
    auto: tuple[int, ...] = ()
    settings: Settings = field(default_factory=Settings)
    replace: bool = False
    suffix: str = ".tif"

    def __post_init__(self) -> None:
        require_kinds(self, movies=MovieOptions, settings=Settings)
        require_kinds(self, pattern=str, points=str, suffix=str)
        set_paths(self, "output")
        set_integers(self, "auto")
