"""The Python API: a session of segmenting one movie."""

from __future__ import annotations

import dataclasses
import logging
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import numpy as np

from napari_sam_decoder.cache import ZarrStore
from napari_sam_decoder.embedding import Embedder, nearest_first, open_store
from napari_sam_decoder.errors import ClosedError, FormatError, OptionError, PromptError
from napari_sam_decoder.formats import (
    OpenOptions,
    as_movie_path,
    open_with_options,
)
from napari_sam_decoder.frames import (
    Composite,
    Movie,
    Pyramid,
    select_frame_range,
    select_frames,
)
from napari_sam_decoder.labels import check_labels, label_dtype, merge_labels
from napari_sam_decoder.prompts import Prompt, PromptSet, checked_prompts
from napari_sam_decoder.propagation import (
    Context,
    CurrentLabels,
    Direction,
    Settings,
    Views,
    WholeFrames,
    correct,
    plan,
    preview_prompts,
    propagate,
    search_objects,
)
from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.validation import (
    as_bool,
    as_integer,
    as_path,
)

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Generator,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.frames import ArrayLike, FrameSelection, Window
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import (
        FoundObject,
        FrameResult,
        Hypothesis,
        Itinerary,
        Preview,
    )

__all__ = ["Session", "movie_of"]

_LOG = logging.getLogger(__name__)
_SIDE_BY_SIDE = 4
"""Frames that are embedded at a time, if there are as many cores: two threads on one
frame take 0.57 of the time of one, and more gain less. Each needs 0.2 GB of memory."""

T = TypeVar("T")
Limits: TypeAlias = "Sequence[float] | Sequence[Sequence[float]]"


class Session:
    """Segments one movie: holds the model, the embeddings and the prompts so far.

    Parameters
    ----------
    movie : Movie, array-like, str or Path
        What to segment; see `Movie` for arrays and `open_movie` for files.
    axes : str, optional
        As in `Movie` and `open_movie`; overrides the axes of a file.
    channel, series : int or str, optional
        As in `open_movie`. An array has no series, and its channels have no names. Two
        or three channels become the red, green and blue of a `Composite`.
    at : mapping of str to int, optional
        As in `Movie` and `open_movie`: the position along axes that are not those of
        the movie, as in ``{"z": 5}``.
    contrast : (float, float), optional
        As in `Movie`: intensities shown to the network as black and white. By default
        chosen from the pixels. Of several channels, such a pair for each.
    model : Sam, optional
        From `load_sam`; by default the bundled MobileSAM on the fastest device.
    cache : str, Path, "auto" or None
        Folder for the embeddings. "auto" is a folder per movie in the user's cache
        folder; None keeps them in memory.
    storage : {"int8", "float16"}, optional
        Precision of the stored embeddings: 1 or 2 bytes per value, before compression.
        By default int8, or that of an existing cache.
    settings : Settings, optional
        How objects are followed.

    Attributes
    ----------
    movie : Movie
    model : Sam
    prompts : PromptSet
        All prompts so far. Change them by `add_prompt` and `remove_prompts`.
    settings : Settings
    background : frozenset of int
        Background objects; any ids can be assigned.

    Raises
    ------
    SamDecoderError
        If the movie or the cache cannot be used, or an option has another type.

    Notes
    -----
    A closed session refuses all further work with a `ClosedError`. The iterators that
    its methods return are lazy: they do nothing until the first result is requested,
    and what was not reached when one is closed or fails stays as it was.

    Examples
    --------
    >>> session = Session(movie, cache="embeddings.zarr")  # doctest: +SKIP
    >>> session.add_prompt(Prompt(object_id=1, frame=0, points=[(240, 410)]))
    ... # doctest: +SKIP
    >>> for result in session.propagate():  # doctest: +SKIP
    ...     labels[result.frame] = result.labels
    """

    def __init__(
        self,
        movie: Any,
        *,
        axes: str | None = None,
        channel: int | str | Sequence[int | str] | None = None,
        series: int | str | None = None,
        at: Mapping[str, int] | None = None,
        contrast: Sequence[float] | Sequence[Sequence[float]] | None = None,
        model: Sam | None = None,
        cache: str | Path | None = None,
        storage: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        _check_options(model, cache, storage, settings)
        reading = OpenOptions(axes, channel, series, at=at)
        self.movie = _as_movie(movie, reading, contrast)
        self.model = model or _bundled_model()
        self.prompts = PromptSet()
        self._overview = self.movie.overview(self.model.image_size)
        store = open_store(self._overview, self.model, cache, storage)
        self._cache_path = store.path if isinstance(store, ZarrStore) else None
        self._embedder = Embedder(
            self.movie, self.model, store, ThreadPool(_SIDE_BY_SIDE), self._overview
        )
        self.settings = settings or Settings()
        self._background: frozenset[int] = frozenset()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self, *, wait: bool = True) -> None:
        """Release the cache. May be called more than once.

        Parameters
        ----------
        wait : bool, default True
            Whether to wait for frames that other threads are embedding. Otherwise the
            cache stays in use until they are written.
        """
        self._is_closed = True
        self._embedder.close(wait=wait)

    def __repr__(self) -> str:
        model = self.model.identity.partition(" ")[0]
        state = ", closed" if self._is_closed else ""
        return f"Session({self.movie!r}, {model}, {len(self.prompts)} prompts{state})"

    @property
    def _views(self) -> Views:
        """New ones for each run, since pixels may be edited in place between runs."""
        self._require_open()
        shape = self.movie.frame_shape
        overview = self._embedder
        is_large = self._overview is not self.movie
        source = WholeFrames(overview, self.movie) if is_large else overview
        whole = Context(source, self.model, shape, self.settings, self.model.heads)
        return Views(whole, self._pyramid, overview.at, overview)

    @property
    def _pyramid(self) -> Pyramid:
        return Pyramid.of(
            self.movie.frame_shape,
            self.model.image_size,
            self.settings.smallest_window,
        )

    @property
    def labels_shape(self) -> tuple[int, int, int]:
        """Shape (T, Y, X) of the labels of the whole movie."""
        return len(self.movie), *self.movie.frame_shape

    @property
    def labels_dtype(self) -> np.dtype:
        """Type of the labels that `propagate` yields for the prompts so far.

        uint16, or uint32 if an object id needs it. Where you pass labels, results have
        the type of these labels instead.
        """
        return label_dtype(max(self.prompts.object_ids, default=0))

    @property
    def background(self) -> frozenset[int]:
        """Objects that are followed like all others, but are not part of the result.

        Such as a twin beside an object, which then does not take its pixels. The labels
        of a result have them, since corrections need their masks; `FrameResult.wanted`
        is the result without them.
        """
        return self._background

    @background.setter
    def background(self, object_ids: Iterable[int]) -> None:
        self._background = frozenset(
            as_integer(one, "a background object", OptionError) for one in object_ids
        )

    def add_prompt(self, prompt: Prompt) -> None:
        """Add a prompt. It is merged with the object's prompt on the same frame.

        Raises
        ------
        PromptError
            If it is not a prompt, or is outside the movie.
        """
        self._require_open()
        joined = self.prompts.add(prompt)
        # Negative points alone are fine if the object already has a positive one.
        joined.at(prompt.object_id, prompt.frame).check(self.movie)
        self.prompts = joined

    def remove_prompts(self, object_id: int, frame: int | None = None) -> None:
        """Remove an object's prompt on one frame, or all its prompts.

        Raises
        ------
        PromptError
            If it has none.
        """
        self._require_open()
        remaining = self.prompts.without(object_id, frame)
        if len(remaining) == len(self.prompts):
            raise PromptError(f"object {object_id} has no such prompt to remove")
        self.prompts = remaining

    @property
    def embedded(self) -> frozenset[int]:
        """Frames that the cache has a record of. Their pixels are not checked."""
        self._require_open()
        return self._embedder.recorded()

    @property
    def cache_path(self) -> Path | None:
        """Folder of the embeddings; None if they are kept in memory."""
        return self._cache_path

    @property
    def has_windows(self) -> bool:
        """Whether frames are so large that objects are seen through windows of them."""
        return bool(self._pyramid.sides)

    def embed(
        self,
        frames: FrameSelection = None,
        *,
        focus: Callable[[], int] | None = None,
        windows: Collection[Window] = (),
    ) -> Iterator[EmbeddedFrame]:
        """Embed frames ahead of time. `propagate` embeds what is missing by itself.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            All by default, in the order given.
        focus : callable, optional
            Called before each step. The frame nearest to the one it returns comes next,
            instead of the order given.
        windows : collection of Window
            The parts of the frames to embed, as in `Preview.window`; by default the
            frames as a whole.

        Returns
        -------
        iterator of EmbeddedFrame
            One per frame. Frames that were yielded are kept if you stop early.

        Raises
        ------
        OptionError
            If these are not frames of the movie.
        """
        self._require_open()
        asked = select_frames(frames, len(self.movie))
        order = nearest_first(asked, focus) if focus else asked
        if windows:
            return self._while_open(self._embedder.fill_windows(order, windows))
        return self._while_open(self._embedder.fill(order))

    def hypotheses(self, object_id: int, frame: int) -> tuple[Hypothesis, ...]:
        """Return the three masks that are offered for an object's prompt.

        Parameters
        ----------
        object_id, frame : int
            An object, and a frame on which it has a prompt.

        Returns
        -------
        tuple of Hypothesis
            Numbers 1, 2 and 3.

        Raises
        ------
        PromptError
            If the object has no prompt on the frame.
        """
        self._require_open()
        prompt = self.prompts.at(object_id, frame)
        prompt.check(self.movie)
        return self._preview(prompt).hypotheses

    def preview(self, prompt: Prompt) -> Preview:
        """Return the masks that a prompt gives on its frame, without adding it.

        The session's prompts for other objects on this frame are taken into account.

        Parameters
        ----------
        prompt : Prompt
            On a frame of the movie.

        Returns
        -------
        Preview
            The three hypotheses, and the mask that propagation would start from.

        Raises
        ------
        PromptError
            If it is not a prompt, or does not fit the movie.
        """
        self._require_open()
        (prompt,) = checked_prompts([prompt])
        prompt.check(self.movie)
        return self._preview(prompt)

    def preview_together(
        self, prompts: Iterable[Prompt], known: Iterable[Preview] = ()
    ) -> tuple[Preview, ...]:
        """Return the masks that several prompts give together, without adding them.

        Parameters
        ----------
        prompts : iterable of Prompt
            On one frame of the movie, at most one per object.
        known : iterable of Preview
            Earlier previews on this frame. Their prompts are not decoded again.

        Returns
        -------
        tuple of Preview
            One per prompt.

        Raises
        ------
        PromptError
            If something is not a prompt, does not fit the movie, or is on another
            frame than the rest.
        """
        self._require_open()
        together = checked_prompts(prompts)
        for prompt in together:
            prompt.check(self.movie)
        if len({prompt.frame for prompt in together}) > 1:
            raise PromptError(
                "prompts on different frames cannot be previewed together; preview one "
                "frame at a time"
            )
        return preview_prompts(self._views, together, known)

    def _preview(self, prompt: Prompt) -> Preview:
        beside = [
            other
            for other in self.prompts.within(range(prompt.frame, prompt.frame + 1))
            if other.object_id != prompt.object_id and other.is_positive
        ]
        return preview_prompts(self._views, [prompt, *beside])[0]

    def find_objects(
        self, frame: int, occupied: np.ndarray | None = None
    ) -> list[FoundObject]:
        """Find the objects of a frame without being shown any.

        Nothing is added to the prompts: choose what is wanted, and add it as
        ``Prompt(object_id, frame, mask=found.painted)``.

        Parameters
        ----------
        frame : int
            Where to look.
        occupied : (Y, X) array of bool, optional
            Objects that are known already; nothing is found there.

        Returns
        -------
        list of FoundObject
            Masks that do not overlap, the surest first.

        Raises
        ------
        OptionError
            If there is no such frame, or the array does not fit it.
        """
        *_, found = self.search_objects(frame, occupied)
        return found or []

    def search_objects(
        self, frame: int, occupied: np.ndarray | None = None
    ) -> Iterator[list[FoundObject] | None]:
        """Find objects as `find_objects` does, step by step.

        Parameters
        ----------
        frame, occupied
            As for `find_objects`.

        Returns
        -------
        iterator of (list of FoundObject or None)
            None after each batch of clicks, at last the objects.

        Raises
        ------
        OptionError
            At once, as `find_objects`.
        """
        self._require_open()
        (asked,) = select_frames([frame], len(self.movie))
        shape = self.movie.frame_shape
        if occupied is not None and np.shape(occupied) != shape:
            raise OptionError(
                f"what is occupied has shape {np.shape(occupied)}, but the frames have "
                f"{shape}; give a value for each pixel"
            )
        return self._while_open(search_objects(self._views, asked, occupied))

    def plan(
        self,
        frames: FrameSelection = None,
        direction: str = Direction.BOTH,
        objects: Collection[int] | None = None,
    ) -> Itinerary:
        """Return what `propagate` would do, without doing it.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            The frames to label, without gaps; all by default.
        direction : {"both", "forward", "backward"}
            In which direction objects are followed from their prompts.
        objects : collection of int, optional
            Ids of the objects to follow; all by default.

        Returns
        -------
        Itinerary
            ``visits`` is the number of results to come.

        Raises
        ------
        OptionError, PromptError
            If the frames, the direction or the prompts cannot be used.
        """
        self._require_open()
        asked = select_frame_range(frames, len(self.movie))
        return plan(self.prompts, asked, Direction.of(direction), objects)

    def propagate(
        self,
        frames: FrameSelection = None,
        *,
        direction: str = Direction.BOTH,
        labels: ArrayLike | None = None,
        replace: bool = False,
        objects: Collection[int] | None = None,
    ) -> Iterator[FrameResult]:
        """Follow each object from its prompts through the movie.

        Prompts that are added meanwhile take effect in the next call.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            The frames to label, without gaps; all by default.
        direction : {"both", "forward", "backward"}
            In which direction objects are followed from their prompts.
        labels : (T, Y, X) array-like of int, optional
            Existing labels. Each result then includes them, and has their type. Pixels
            of objects without prompts are kept, unless ``replace``.
        replace : bool, default False
            Whether new pixels replace those of other objects in ``labels``.
        objects : collection of int, optional
            Ids of the objects to follow; all by default. Prompts of the others still
            count as background on their frames.

        Returns
        -------
        iterator of FrameResult
            Not in the order of time; see `FrameResult.is_final`.

        Raises
        ------
        OptionError, PromptError, LabelsError
            Before the first result, if the frames, direction, prompts or labels cannot
            be used, or the type of the labels cannot hold the object ids.
        """
        itinerary = self.plan(frames, direction, objects)
        object_ids = itinerary.prompts.object_ids
        replace = as_bool(replace, "replace", OptionError)
        if labels is not None:
            check_labels(labels, self.labels_shape, object_ids)
        _LOG.info("propagating objects %s, %d results", object_ids, itinerary.visits)
        results = propagate(self._views, itinerary)
        if labels is not None:
            results = _merged(results, labels, object_ids, replace=replace)
        return self._while_open(self._with_background(results))

    def correct(
        self,
        prompts: Iterable[Prompt],
        labels: ArrayLike,
        frames: FrameSelection = None,
    ) -> Iterator[FrameResult]:
        """Add prompts where labels are wrong, and recompute only the frames concerned.

        A corrected frame becomes fixed once its result is yielded. From there the
        object is recomputed up to its next fixed frames, as far as its mask changes.
        The labels on fixed frames, including painted pixels, are taken as correct.

        Parameters
        ----------
        prompts : iterable of Prompt
            Negative points or scribbles alone are enough on a frame where the object
            has a mask. A mask is used as it is: it says that the frame was painted.
        labels : (T, Y, X) array-like of int
            The labels to correct. Write each result into them before you request the
            next one: ``labels[result.frame] = result.labels``.
        frames : range, list, slice or array of int, optional
            Frames that may change, without gaps; all by default.

        Returns
        -------
        iterator of FrameResult
            For the recomputed frames only. Their labels include all objects, in the
            type of ``labels``. The corrected object replaces pixels of this session's
            objects, but not those of others.

        Raises
        ------
        OptionError, PromptError, LabelsError
            Before the first result, if the frames, prompts or labels cannot be used, or
            the type of the labels cannot hold the object ids.
        """
        self._require_open()
        corrections = checked_prompts(prompts)
        object_ids = {prompt.object_id for prompt in corrections}
        check_labels(labels, self.labels_shape, object_ids)
        allowed = select_frame_range(frames, len(self.movie))
        for prompt in corrections:
            prompt.check_inside(self.movie)
        current = self._current_labels(corrections, labels)
        for object_id, frame in _places(corrections):
            if not current.mask(object_id, frame).any():
                current.prompts.at(object_id, frame).check(self.movie)
        _LOG.info("correcting %s in %s", _places(corrections), allowed)
        results = self._corrected(corrections, labels, allowed)
        return self._while_open(self._with_background(results))

    def _current_labels(
        self, corrections: Iterable[Prompt], labels: ArrayLike
    ) -> CurrentLabels:
        return CurrentLabels(
            labels.__getitem__, PromptSet((*self.prompts, *corrections))
        )

    def _corrected(
        self, corrections: tuple[Prompt, ...], labels: ArrayLike, frames: range
    ) -> Iterator[FrameResult]:
        current = self._current_labels(corrections, labels)
        results = correct(self._views, current, _places(corrections), frames)
        for result in results:
            # A leg ends before the object's next correction: no other frame has it.
            done = (
                prompt
                for prompt in corrections
                if prompt.frame == result.frame and prompt.object_id in result.objects
            )
            self.prompts = PromptSet((*self.prompts, *done))
            yield result

    def _with_background(self, results: Iterator[FrameResult]) -> Iterator[FrameResult]:
        for result in results:
            yield dataclasses.replace(result, background=self._background)

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this session is closed; open another one to continue")

    def _while_open(self, steps: Iterator[T]) -> Generator[T]:
        """Refuse steps that are requested after the session was closed."""
        self._require_open()
        with closing(_closable(steps)) as open_steps:
            for step in open_steps:
                yield step
                self._require_open()


def _places(prompts: Iterable[Prompt]) -> list[tuple[int, int]]:
    """(object_id, frame) of the prompts, without duplicates."""
    return list(dict.fromkeys((prompt.object_id, prompt.frame) for prompt in prompts))


def _closable(steps: Iterator[T]) -> Generator[T]:
    yield from steps


def _merged(
    results: Iterator[FrameResult],
    labels: ArrayLike,
    object_ids: tuple[int, ...],
    *,
    replace: bool,
) -> Iterator[FrameResult]:
    for result in results:
        existing = np.asarray(labels[result.frame])
        yield result.with_labels(
            merge_labels(existing, result.labels, object_ids, replace=replace)
        )


def _check_options(model: Any, cache: Any, storage: Any, settings: Any) -> None:
    if isinstance(model, str | Path):
        raise OptionError(
            f"a session needs a loaded model, as in model=load_sam({model!r})"
        )
    if cache is not None:
        as_path(cache, "a cache", OptionError)
    if not (storage is None or isinstance(storage, str)):
        raise OptionError(f"storage must be 'int8' or 'float16', not {storage!r}")
    if not (settings is None or isinstance(settings, Settings)):
        raise OptionError(f"settings must be a Settings, not {settings!r}")


def movie_of(
    place: str | Path, reading: OpenOptions, contrast: Limits | None = None
) -> Movie:
    """Open a movie, or a composite of several of its channels.

    Parameters
    ----------
    place : str or Path
        Of its file.
    reading : OpenOptions
        How it is read; several channels become a `Composite`.
    contrast : (float, float), or one of these for each channel, optional
        As in `Movie`.

    Raises
    ------
    SamDecoderError
        If the file cannot be used, or the channels or limits do not fit.
    """

    def open_one(reading: OpenOptions, contrast: Any) -> Movie:
        source = open_with_options(place, reading)
        return Movie(
            source.data,
            axes=source.axes,
            contrast=contrast,
            scale=source.scale,
            unit=source.unit,
            coarser=source.coarser,
            position=source.position,
        )

    return _composed(reading, contrast, open_one)


def _composed(
    reading: OpenOptions,
    contrast: Limits | None,
    open_one: Callable[[OpenOptions, Any], Movie],
) -> Movie:
    """Open a movie for each channel, and join them if there are several."""
    is_composite = isinstance(reading.channel, list | tuple)
    channels = tuple(reading.channel) if is_composite else (reading.channel,)
    several = contrast if _are_several(contrast) else (contrast,)
    limits = tuple(several or ()) if contrast is not None else (None,) * len(channels)
    if len(limits) != len(channels):
        noun = "channel" if len(channels) == 1 else "channels"
        raise OptionError(
            f"there are {len(channels)} {noun} but {len(limits)} contrast limits; give "
            "--contrast (in Python contrast=) once for each, in the same order"
        )
    if not is_composite:
        return open_one(reading, limits[0])
    if len(set(map(str, channels))) < len(channels):
        raise OptionError("a channel is given twice; give each once")
    one_by_one = zip(channels, limits, strict=True)
    return Composite(
        [
            open_one(replace(reading, channel=one), low_high)
            for one, low_high in one_by_one
        ]
    )


def _are_several(contrast: Any) -> bool:
    """Whether limits are those of each channel, of which some may be unknown."""
    return isinstance(contrast, list | tuple) and any(
        isinstance(one, list | tuple) for one in contrast
    )


def _as_movie(movie: Any, reading: OpenOptions, contrast: Limits | None) -> Movie:
    if isinstance(movie, str | bytes | os.PathLike):
        where = as_movie_path(movie, FormatError)
        return movie_of(where, reading, contrast)
    if reading.series is not None:
        raise OptionError(
            "series chooses one of several movies in a file, and an array is only one; "
            "leave series out"
        )
    if not isinstance(movie, Movie):
        return _composed(
            reading,
            contrast,
            lambda reading, contrast: Movie(
                movie,
                axes=reading.axes,
                channel=reading.channel,
                contrast=contrast,
                at=reading.at,
            ),
        )
    if reading != OpenOptions() or contrast is not None:
        raise OptionError(
            "a Movie already has its axes, channel, position and contrast; pass these "
            "to Movie(...)"
        )
    return movie


def _bundled_model() -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam()
