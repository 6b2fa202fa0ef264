"""The inputs of a job: a movie with its cache, painted masks and scribbles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.axes import as_position, position_letter, position_name
from napari_sam_decoder.errors import LabelsError, OptionError
from napari_sam_decoder.formats import (
    OpenOptions,
    as_movie_path,
    count_axes,
    open_labels,
    open_with_options,
)
from napari_sam_decoder.prompts import (
    PaintedMask,
    Prompt,
    PromptSet,
    Scribble,
    read_points_at,
)
from napari_sam_decoder.session import Session, movie_of
from napari_sam_decoder.validation import (
    as_expanded_path,
    as_instance,
    as_integer,
    as_integers,
    as_tuple,
)
from napari_sam_decoder.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari_sam_decoder.formats import MovieSource
    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import Settings

__all__ = [
    "MaskFile",
    "MovieOptions",
    "ScribbleFile",
    "points_at",
    "require_background",
    "require_job",
    "require_kinds",
    "set_integers",
    "set_paths",
    "set_tuples",
    "with_scribbles",
]


def set_paths(
    job: object,
    *names: str,
    optional: tuple[str, ...] = (),
    several: tuple[str, ...] = (),
) -> None:
    """Convert fields of a frozen dataclass to paths, if they are text.

    Raises
    ------
    OptionError
        If one is neither text nor a path. Only optional ones may be None; those of
        several paths are no single one.
    """
    for name in (*names, *optional):
        value = getattr(job, name)
        if value is not None or name in names:
            path = as_expanded_path(value, f"{name}=", OptionError)
            object.__setattr__(job, name, path)
    for name in several:
        values = as_tuple(getattr(job, name), f"{name}=", OptionError)
        paths = [as_expanded_path(one, f"{name}=", OptionError) for one in values]
        object.__setattr__(job, name, tuple(paths))


def set_integers(job: object, *names: str) -> None:
    """Convert fields of a frozen dataclass to tuples of int.

    Raises
    ------
    OptionError
        If one is something else.
    """
    for name in names:
        numbers = as_integers(getattr(job, name), f"{name}=", OptionError)
        object.__setattr__(job, name, numbers)


def set_tuples(job: object, **kinds: type) -> None:
    """Convert fields of a frozen dataclass to tuples of instances of a class.

    Raises
    ------
    OptionError
        If one is something else.
    """
    for name, kind in kinds.items():
        values = as_tuple(getattr(job, name), f"{name}=", OptionError)
        for one in values:
            as_instance(one, kind, f"each of {name}=", OptionError)
        object.__setattr__(job, name, values)


def require_kinds(job: object, **kinds: type) -> None:
    """Refuse a dataclass with a field that is no instance of a class.

    Raises
    ------
    OptionError
        Which names the field and the class. What is None by default may be None.
    """
    for name, kind in kinds.items():
        value = getattr(job, name)
        if value is not None or getattr(type(job), name, kind) is not None:
            as_instance(value, kind, f"{name}=", OptionError)


def require_job(job: object, kind: type) -> None:
    """Refuse to do anything else than a job of some class.

    Raises
    ------
    OptionError
        Which names the class.
    """
    as_instance(job, kind, "a job", OptionError)


def require_background(background: Iterable[int], known: Iterable[int]) -> None:
    """Refuse background objects that nothing is known of, or that are all there are.

    Parameters
    ----------
    background : iterable of int
        Background objects.
    known : iterable of int
        All objects that have prompts.

    Raises
    ------
    OptionError
        Which names the objects.
    """
    asked, prompted = frozenset(background), frozenset(known)
    missing = sorted(asked - prompted)
    if missing:
        raise OptionError(
            "background objects need prompts, too, but there are none of "
            f"{listed('object', missing)}; show where they are, or check the object ids"
        )
    if asked and asked == prompted:
        raise OptionError(
            "all objects are background objects, so there would be no result; prompt "
            "the object that you want, too"
        )


@dataclass(frozen=True)
class MovieOptions:
    """A movie file, how to read it, and which of its frames to use.

    Attributes
    ----------
    path : Path
        A text may be an address, see `open_movie`.
    axes : str, optional
        As in `open_movie`; by default from the file.
    channel, series : int or str, optional
        As in `open_movie`. Two or three channels become the red, green and blue of a
        `Composite`.
    contrast : (float, float), optional
        As in `Movie`; of several channels, such a pair for each.
    cache : str, Path or None
        As in `Session`.
    storage : str, optional
        As in `Session`.
    start, stop : int
        The frames to use, without ``stop`` itself; by default up to the end.
    at : mapping of str to int, optional
        As in `open_movie`: the position along axes that are not those of the movie.
    each : tuple of str
        Axes along which each position is a movie of its own, such as "z"; see
        `positions`.
    """

    path: Path
    axes: str | None = None
    channel: int | str | tuple[int | str, ...] | None = None
    series: int | str | None = None
    contrast: tuple[float, float] | tuple[tuple[float, float], ...] | None = None
    cache: str | Path | None = "auto"
    storage: str | None = None
    start: int = 0
    stop: int | None = None
    at: Mapping[str, int] | None = None
    each: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", as_movie_path(self.path, OptionError))
        try:
            # From JSON it is a list.
            each = tuple(self.each or ())
        except (TypeError, ValueError) as error:
            raise OptionError(
                f"each= takes the letters of axes, as in ('z',), not {self.each!r}"
            ) from error
        object.__setattr__(self, "each", each)

    def positions(self) -> tuple[MovieOptions, ...]:
        """Return the options of each movie: one for each position along `each`.

        A cache folder that was given gets a folder for each of them.

        Raises
        ------
        OptionError
            If an axis is also in `at`, or given twice.
        SamDecoderError
            If the file cannot be used, or has no such axis.
        """
        if not self.each:
            return (self,)
        letters = self._each_letters()
        at, start = as_position(self.at), as_position(dict.fromkeys(letters, 0))
        twice = sorted(at.keys() & start.keys())
        if twice or len(start) < len(letters):
            where = ", ".join(twice) or ", ".join(self.each)
            raise OptionError(
                f"each axis is either in --at or in --each, and once; check {where}"
            )
        lengths = replace(self, at={**at, **start}, each=()).source().lengths
        every = product(*(range(lengths[letter]) for letter in start))
        places = [dict(zip(start, numbers, strict=True)) for numbers in every]
        return tuple(self._at_position({**at, **place}, place) for place in places)

    def _each_letters(self) -> list[str]:
        letters = [position_letter(name) for name in self.each]
        for name, letter in zip(self.each, letters, strict=True):
            if letter is None:
                raise OptionError(
                    "--each (in Python each=) takes an axis that is neither row nor "
                    f"column, such as z, not {name!r}; give several axes one by one"
                )
        return [letter for letter in letters if letter is not None]

    def place_of(self, movie: MovieOptions) -> dict[str, int]:
        """Where one of `positions` is along the axes of `each`, by their letters."""
        at = as_position(movie.at)
        return {
            letter: at[letter] for letter in as_position(dict.fromkeys(self.each, 0))
        }

    def _at_position(self, at: dict[str, int], place: dict[str, int]) -> MovieOptions:
        cache = self.cache
        if cache is not None and cache != "auto":
            cache = Path(cache) / position_name(place).replace(" ", ",")
        return replace(self, at=at, each=(), cache=cache)

    def with_contrast(
        self, contrast: tuple[float, float] | tuple[tuple[float, float], ...] | None
    ) -> MovieOptions:
        """Use this contrast, unless one was given."""
        return self if self.contrast is not None else replace(self, contrast=contrast)

    def open(
        self, model: Sam | None = None, settings: Settings | None = None
    ) -> tuple[Session, range]:
        """Open a session on the movie.

        Parameters
        ----------
        model : Sam, optional
            From `load_sam`; by default the bundled model.
        settings : Settings, optional
            How propagation decides.

        Returns
        -------
        session : Session
        frames : range
            The frames to use.

        Raises
        ------
        OptionError
            If the movie does not have these frames, or is one of several.
        SamDecoderError
            If the file or the cache cannot be used.
        """
        movie, frames = self.read()
        session = Session(
            movie,
            model=model,
            cache=self.cache,
            storage=self.storage,
            settings=settings,
        )
        return session, frames

    @property
    def reading(self) -> dict[str, Any]:
        """How the file is read, as plain values."""
        # Earlier versions do not know it.
        each = {"each": list(self.each)} if self.each else {}
        return {
            "axes": self.axes,
            "channel": self.channels[0]
            if len(self.channels) == 1
            else [*self.channels],
            "series": self.series,
            "at": as_position(self.at) or None,
            **each,
        }

    def source(self) -> MovieSource:
        """Open the file, without choosing a contrast or frames.

        Of several channels it is the first.

        Raises
        ------
        SamDecoderError
            If it cannot be used.
        """
        return open_with_options(self.path, self._reading(self.channels[0]))

    @property
    def channels(self) -> tuple[int | str | None, ...]:
        """The channels, of which there is usually one."""
        several = isinstance(self.channel, list | tuple) and self.channel
        return tuple(self.channel) if several else (self.channel,)  # type: ignore[return-value, arg-type]

    def _reading(self, channel: Any) -> OpenOptions:
        if self.each:
            raise OptionError(
                f"{self.path.name} is one movie for each position along "
                f"{', '.join(self.each)}; take one of them with --at (in Python at=)"
            )
        return OpenOptions(self.axes, channel, self.series, at=self.at)

    def read(self) -> tuple[Movie, range]:
        """Open the movie only, without network or cache.

        Returns
        -------
        movie : Movie
        frames : range
            The frames to use.

        Raises
        ------
        OptionError
            If the movie does not have these frames.
        SamDecoderError
            If the file cannot be used.
        """
        movie = movie_of(self.path, self._reading(self.channel), self.contrast)
        return movie, self._frames_of(len(movie))

    def _frames_of(self, length: int) -> range:
        start = as_integer(self.start, "the first frame", OptionError)
        stop = length
        if self.stop is not None:
            stop = as_integer(self.stop, "the end of the frames", OptionError)
        if not 0 <= start < stop <= length:
            raise OptionError(
                f"frames {start}:{stop} are not in {self.path.name}, which has "
                f"{length} frames; use frames within 0:{length}"
            )
        return range(start, stop)


@dataclass(frozen=True)
class MaskFile:
    """A labels file with objects painted on some frames.

    Attributes
    ----------
    path : Path
        Labels of the whole movie, or of a single frame. Pixels that hold an object's id
        are that object.
    frame : int, optional
        The frame that a single picture belongs to; 0 by default.
    """

    path: Path
    frame: int | None = None

    def __post_init__(self) -> None:
        set_paths(self, "path")

    def prompts(self, frames: int) -> list[Prompt]:
        """Make a prompt for each object on each frame where it has pixels.

        Parameters
        ----------
        frames : int
            Length of the movie.

        Raises
        ------
        FormatError
            If the file cannot be read, or does not hold labels.
        LabelsError
            If it has another number of frames, or nothing is painted.
        OptionError
            If a frame is given for labels of a whole movie.
        PromptError
            If a value is not a valid object id.
        """
        found = [
            Prompt(object_id, frame, mask=pixels)
            for frame, object_id, pixels in _painted(
                self.path, self.frame, frames, "--masks-frame"
            )
        ]
        if not found:
            raise LabelsError(
                f"nothing is painted in {self.path}; paint each object with its object "
                "id, on at least one frame"
            )
        return found


@dataclass(frozen=True)
class ScribbleFile:
    """A labels file with scribbles over objects, or beside them, on some frames.

    Attributes
    ----------
    path : Path
        Labels of the whole movie, or of a single frame. Pixels that hold an object's id
        are a scribble of that object.
    is_positive : bool, default True
        True on the objects, False beside them.
    frame : int, optional
        The frame that a single picture belongs to; 0 by default.
    """

    path: Path
    is_positive: bool = True
    frame: int | None = None

    def __post_init__(self) -> None:
        set_paths(self, "path")

    def prompts(self, frames: int) -> list[Prompt]:
        """Make a prompt for each object on each frame where it has pixels.

        Parameters
        ----------
        frames : int
            Length of the movie.

        Raises
        ------
        FormatError
            If the file cannot be read, or does not hold labels.
        LabelsError
            If it has another number of frames, or nothing is drawn.
        OptionError
            If a frame is given for labels of a whole movie.
        PromptError
            If a value is not a valid object id.
        """
        found = [
            Prompt(object_id, frame, scribbles=[Scribble(pixels, self.is_positive)])
            for frame, object_id, pixels in _painted(
                self.path, self.frame, frames, "--scribbles-frame"
            )
        ]
        if not found:
            raise LabelsError(
                f"nothing is drawn in {self.path}; draw over each object with its "
                "object id, on at least one frame"
            )
        return found


def with_scribbles(
    prompts: PromptSet, files: Iterable[ScribbleFile], frames: int
) -> PromptSet:
    """Add the scribbles of files to prompts, behind their points.

    Parameters
    ----------
    prompts : PromptSet
        Left as it is.
    files : iterable of ScribbleFile
        In the order drawn.
    frames : int
        Length of the movie.

    Raises
    ------
    SamDecoderError
        As `ScribbleFile.prompts`.
    """
    drawn = (prompt for file in files for prompt in file.prompts(frames))
    return PromptSet((*prompts, *drawn))


def points_at(tables: Sequence[Path], movie: MovieOptions) -> PromptSet:
    """Read the points of tables with more axes that are at the position of a movie.

    Parameters
    ----------
    tables : sequence of Path
        With a column for each axis of the file, or for each but its channels.
    movie : MovieOptions
        The movie.

    Raises
    ------
    SamDecoderError
        If a table or the movie cannot be used.
    """
    if not tables:
        return PromptSet()
    source = movie.source()
    axes = "".join(source.lengths).replace("S", "")
    along = (source.axes or "T")[0]
    found: list[Prompt] = []
    for table in tables:
        is_whole = count_axes(table) == len(axes)
        named = axes if is_whole else axes.replace("C", "")
        found += read_points_at([table], named, along, source.position)
    return PromptSet(found)


def _painted(
    path: Path, frame: int | None, frames: int, option: str
) -> Iterator[tuple[int, int, PaintedMask]]:
    """Yield frame, object id and pixels of all that labels hold."""
    labels = open_labels(path)
    first = _first_frame(path, len(labels), frame, frames, option)
    for index in range(len(labels)):
        plane = np.asarray(labels[index])
        for value in np.unique(plane[plane != 0]).tolist():
            yield first + index, int(value), PaintedMask.of(plane == value)


def _first_frame(
    path: Path, painted: int, frame: int | None, frames: int, option: str
) -> int:
    if painted == 1:
        return as_integer(frame or 0, f"the frame of {path}", OptionError)
    if frame is not None:
        raise OptionError(
            f"{path} has {painted} frames, one for each of the movie; leave {option} "
            "out"
        )
    if painted != frames:
        raise LabelsError(
            f"{path} has {painted} frames, but the movie has {frames}; give as many as "
            f"the movie has, or a single picture and {option}"
        )
    return 0
