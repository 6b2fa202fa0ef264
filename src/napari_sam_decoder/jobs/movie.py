"""How to read a movie from a file and where its embeddings go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam_decoder.arguments import whole
from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.formats import open_movie
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import Settings

__all__ = ["MovieOptions"]


@dataclass(frozen=True)
class MovieOptions:
    """What a person says about a movie on the command line.

    Attributes
    ----------
    path : Path
    axes : str, optional
        As in `open_movie`; found from the file when absent.
    channel, series : int or str, optional
        As in `open_movie`.
    contrast : (float, float), optional
        As in `Movie`.
    cache : str, Path or None
        As in `Session`.
    storage : str, optional
        As in `Session`.
    start, stop : int
        The asked frames, half open; ``stop`` is the end of the movie when absent.
    """

    path: Path
    axes: str | None = None
    channel: int | str | None = None
    series: int | str | None = None
    contrast: tuple[float, float] | None = None
    cache: str | Path | None = "auto"
    storage: str | None = None
    start: int = 0
    stop: int | None = None

    def seen_as(self, contrast: tuple[float, float] | None) -> MovieOptions:
        """Take a contrast that is known, unless a person has said another."""
        return self if self.contrast is not None else replace(self, contrast=contrast)

    def open(
        self, model: Sam, settings: Settings | None = None
    ) -> tuple[Session, range]:
        """Open the movie, and resolve the frames against its length.

        Parameters
        ----------
        model : Sam
            As `load_sam` gives it.
        settings : Settings, optional
            How propagation decides.

        Returns
        -------
        session : Session
        frames : range
            The asked ones.

        Raises
        ------
        OptionError
            If the frames do not lie in the movie.
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

    def read(self) -> tuple[Movie, range]:
        """Open the movie alone, without network or cache.

        Returns
        -------
        movie : Movie
        frames : range
            The asked ones.

        Raises
        ------
        OptionError
            If the frames do not lie in the movie.
        SamDecoderError
            If the file cannot be used.
        """
        source = open_movie(
            self.path, axes=self.axes, channel=self.channel, series=self.series
        )
        movie = Movie(source.data, axes=source.axes, contrast=self.contrast)
        return movie, self._frames_of(len(movie))

    def _frames_of(self, length: int) -> range:
        start = whole(self.start, "the first frame", OptionError)
        stop = length
        if self.stop is not None:
            stop = whole(self.stop, "the end of the frames", OptionError)
        if not 0 <= start < stop <= length:
            raise OptionError(
                f"frames {start}:{stop} do not lie in {self.path.name}, which "
                f"has {length} frames (0:{length})"
            )
        return range(start, stop)
