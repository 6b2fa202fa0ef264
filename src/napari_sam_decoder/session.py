"""The Python API: one movie being segmented."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from napari_sam_decoder.embedding import Embedder, nearest_first, open_store
from napari_sam_decoder.errors import ClosedError, FormatError, OptionError, PromptError
from napari_sam_decoder.formats import open_movie
from napari_sam_decoder.frames import Movie, select_frame_range, select_frames
from napari_sam_decoder.labels import check_labels, label_dtype, merge_labels
from napari_sam_decoder.prompts import Prompt, PromptSet, checked_prompts
from napari_sam_decoder.propagation import (
    Context,
    CurrentLabels,
    Direction,
    Settings,
    correct,
    plan,
    preview_prompts,
    propagate,
)
from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.validation import as_bool, as_expanded_path, as_path

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Generator,
        Iterable,
        Iterator,
        Sequence,
    )

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.frames import ArrayLike, FrameSelection
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import (
        FrameResult,
        Hypothesis,
        Itinerary,
        Preview,
    )

__all__ = ["Session"]

_LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Session:
    """A movie, a network, a cache of embeddings and the prompts so far.

    Parameters
    ----------
    movie : Movie, array-like, str or Path
        What to segment; see `Movie` for the arrays and `open_movie` for the files.
    axes : str, optional
        As in `Movie` and `open_movie`: they win over what a file says.
    channel, series : int or str, optional
        As in `open_movie`; an array has no series, and numbers only for its channels.
    contrast : (float, float), optional
        As in `Movie`: intensities shown to the network as black and white, by default
        chosen from the pixels.
    model : Sam, optional
        By default the bundled MobileSAM, on the fastest device at hand.
    cache : str, Path, "auto" or None
        Folder of the embeddings; "auto" is a place per movie under the user's cache
        folder, None keeps them in memory.
    storage : {"int8", "float16"}, optional
        What embeddings are rounded to: 1 or 2 bytes per value, before compression.
        By default int8, or what the cache has.
    settings : Settings, optional
        How propagation decides.

    Raises
    ------
    SamDecoderError
        If the movie or the cache cannot be used, or an option is of another type.

    Notes
    -----
    Once it is closed, a session refuses all further work with a `ClosedError`. An
    iterator that it has returned does nothing before it is asked for the first result,
    and what it has not come to when it is closed or fails, it leaves as it was.

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
        channel: int | str | None = None,
        series: int | str | None = None,
        contrast: Sequence[float] | None = None,
        model: Sam | None = None,
        cache: str | Path | None = None,
        storage: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        _check_options(model, cache, storage, settings)
        self.movie = _as_movie(movie, axes, channel, series, contrast)
        self.model = model or _bundled_model()
        self.prompts = PromptSet()
        store = open_store(self.movie, self.model, cache, storage)
        self._embedder = Embedder(self.movie, self.model, store, ThreadPool(2))
        self.settings = settings or Settings()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self, *, wait: bool = True) -> None:
        """Let go of the cache, so that others may clear it; twice does no harm.

        Parameters
        ----------
        wait : bool, default True
            Whether to wait for frames that other threads are embedding just now.
            Otherwise the cache stays in use until these are written.
        """
        self._is_closed = True
        self._embedder.close(wait=wait)

    @property
    def scene(self) -> Context:
        """A new one for each run: pixels may be edited in place between two runs."""
        self._require_open()
        return Context(
            self._embedder,
            self.model,
            self.movie.frame_shape,
            self.settings,
            self.model.heads,
        )

    @property
    def labels_shape(self) -> tuple[int, int, int]:
        """(T, Y, X) of the labels of the whole movie."""
        return len(self.movie), *self.movie.frame_shape

    @property
    def labels_dtype(self) -> np.dtype:
        """Type of the labels that `propagate` gives for the prompts so far.

        uint16, or uint32 where an object id needs it. With ``labels=``, and in
        `correct`, results are of the type of these labels instead.
        """
        return label_dtype(max(self.prompts.object_ids, default=0))

    def add_prompt(self, prompt: Prompt) -> None:
        """Point at an object; joins what the object already has on that frame.

        Raises
        ------
        PromptError
            If it is no prompt, or lies outside the movie.
        """
        self._require_open()
        joined = self.prompts.add(prompt)
        # A negative point alone is fine where the object has a positive one already.
        joined.at(prompt.object_id, prompt.frame).check(self.movie)
        self.prompts = joined

    def remove_prompts(self, object_id: int, frame: int | None = None) -> None:
        """Forget an object's prompts on one frame, or all of them.

        Raises
        ------
        PromptError
            If there is none to forget.
        """
        self._require_open()
        remaining = self.prompts.without(object_id, frame)
        if len(remaining) == len(self.prompts):
            raise PromptError(f"object {object_id} has no such prompt to remove")
        self.prompts = remaining

    @property
    def embedded(self) -> frozenset[int]:
        """Frames that the cache has a record of, without a look at their pixels."""
        self._require_open()
        return self._embedder.recorded()

    def embed(
        self, frames: FrameSelection = None, *, focus: Callable[[], int] | None = None
    ) -> Iterator[EmbeddedFrame]:
        """Embed frames ahead of time; propagation does it by itself where needed.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            All by default, in the order given.
        focus : callable, optional
            Says before each step which frame matters most just now; the frame nearest
            to it comes next, instead of the order given.

        Returns
        -------
        iterator of EmbeddedFrame
            One per frame; stopping early loses nothing that was yielded.

        Raises
        ------
        OptionError
            If they are no frames of the movie.
        """
        self._require_open()
        asked = select_frames(frames, len(self.movie))
        order = nearest_first(asked, focus) if focus else asked
        return self._while_open(self._embedder.fill(order))

    def hypotheses(self, object_id: int, frame: int) -> tuple[Hypothesis, ...]:
        """Show the three masks that the decoder offers for an object's prompt.

        Parameters
        ----------
        object_id, frame : int
            The object and a frame on which it has a prompt.

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
        return self._preview(prompt, sharpen_all=True).hypotheses

    def preview(self, prompt: Prompt) -> Preview:
        """Show what a prompt gives on its own frame, without adding it.

        It is decided together with the prompts that the session has for other objects
        on this frame.

        Parameters
        ----------
        prompt : Prompt
            On a frame of the movie.

        Returns
        -------
        Preview
            The three hypotheses, and which mask propagation would start from. Only
            that one is drawn by the sharpener of the model, if it has one.

        Raises
        ------
        PromptError
            If it is no prompt, or does not fit the movie.
        """
        self._require_open()
        (prompt,) = checked_prompts([prompt])
        prompt.check(self.movie)
        return self._preview(prompt, sharpen_all=False)

    def preview_together(
        self, prompts: Iterable[Prompt], known: Iterable[Preview] = ()
    ) -> tuple[Preview, ...]:
        """Show what the prompts of a frame give together, without adding them.

        Parameters
        ----------
        prompts : iterable of Prompt
            On one frame of the movie, at most one per object.
        known : iterable of Preview
            Earlier ones on this frame: a prompt that is among theirs is not decoded
            again.

        Returns
        -------
        tuple of Preview
            One per prompt.

        Raises
        ------
        PromptError
            If something is no prompt, does not fit the movie, or lies on another frame
            than the others.
        """
        self._require_open()
        together = checked_prompts(prompts)
        for prompt in together:
            prompt.check(self.movie)
        if len({prompt.frame for prompt in together}) > 1:
            raise PromptError(
                "prompts are previewed together on one frame; ask for each frame by "
                "itself"
            )
        return preview_prompts(self.scene, together, known)

    def _preview(self, prompt: Prompt, *, sharpen_all: bool) -> Preview:
        beside = [
            other
            for other in self.prompts.within(range(prompt.frame, prompt.frame + 1))
            if other.object_id != prompt.object_id and other.is_positive
        ]
        shown = preview_prompts(self.scene, [prompt, *beside], sharpen_all=sharpen_all)
        return shown[0]

    def plan(
        self,
        frames: FrameSelection = None,
        direction: str = Direction.BOTH,
        objects: Collection[int] | None = None,
    ) -> Itinerary:
        """Say what `propagate` will do, without doing it.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            The frames to label, all by default; one after the other without a gap.
        direction : {"both", "forward", "backward"}
            Which way objects are carried from their prompts.
        objects : collection of int, optional
            Ids of those to carry, all by default.

        Returns
        -------
        Itinerary
            Its ``visits`` is the number of results to come.

        Raises
        ------
        OptionError, PromptError
            If the frames, direction or prompts do not fit.
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
        """Carry every object from its prompts through the movie.

        Prompts that are added while the results come count for the next call.

        Parameters
        ----------
        frames : range, list, slice or array of int, optional
            The frames to label, all by default; one after the other without a gap.
        direction : {"both", "forward", "backward"}
            Which way objects are carried from their prompts.
        labels : (T, Y, X) array-like of int, optional
            Labels that are there already. Each result then holds them too, in their
            type: pixels of objects without prompts stay, unless ``replace``.
        replace : bool, default False
            Whether new pixels overwrite those of other objects in ``labels``.
        objects : collection of int, optional
            Ids of those to carry, all by default. On the frames of their prompts the
            prompts of the others count as background all the same.

        Returns
        -------
        iterator of FrameResult
            As they come, not in the order of time; see `FrameResult.is_final`.

        Raises
        ------
        OptionError, PromptError, LabelsError
            If the frames, direction, prompts or labels do not fit, or the labels are
            of a type that cannot hold the object ids; before the first result.
        """
        itinerary = self.plan(frames, direction, objects)
        object_ids = itinerary.prompts.object_ids
        replace = as_bool(replace, "replace", OptionError)
        if labels is not None:
            check_labels(labels, self.labels_shape, object_ids)
        _LOG.info("propagating objects %s, %d results", object_ids, itinerary.visits)
        results = propagate(self.scene, itinerary)
        if labels is not None:
            results = _merged(results, labels, object_ids, replace=replace)
        return self._while_open(results)

    def correct(
        self,
        prompts: Iterable[Prompt],
        labels: ArrayLike,
        frames: FrameSelection = None,
    ) -> Iterator[FrameResult]:
        """Add prompts where the labels are wrong, and mend only what they concern.

        Each corrected frame becomes a fixed one when its result has come. From there
        the object is carried anew up to its next fixed frames, and no farther than its
        result changes. All that the labels hold on fixed frames, painted pixels too,
        counts as certain.

        Parameters
        ----------
        prompts : iterable of Prompt
            Points may be negative ones alone, on a frame where the object has a mask.
            A prompt with a mask is taken as it is: the frame was painted.
        labels : (T, Y, X) array-like of int
            Labels as they are. Write each result into them before asking for the
            next one: ``labels[result.frame] = result.labels``.
        frames : range, list, slice or array of int, optional
            Frames that may change, all by default; one after the other without a gap.

        Returns
        -------
        iterator of FrameResult
            Only for frames that were computed anew, so that their number is the cost
            of the correction. Their labels hold all objects, in the type of
            ``labels``; those of this session give way to the corrected one, others do
            not.

        Raises
        ------
        OptionError, PromptError, LabelsError
            If the frames, prompts or labels do not fit, or the labels are of a type
            that cannot hold the object ids; before the first result.
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
        return self._while_open(self._corrected(corrections, labels, allowed))

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
        results = correct(self.scene, current, _places(corrections), frames)
        for result in results:
            # A leg ends before the object's next correction, so this is its own frame.
            done = (
                prompt
                for prompt in corrections
                if prompt.frame == result.frame and prompt.object_id in result.objects
            )
            self.prompts = PromptSet((*self.prompts, *done))
            yield result

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedError("this session is closed; open another one to go on")

    def _while_open(self, steps: Iterator[T]) -> Generator[T]:
        """Refuse the steps that are asked for after the session was closed."""
        self._require_open()
        with closing(_closable(steps)) as open_steps:
            for step in open_steps:
                yield step
                self._require_open()


def _places(prompts: Iterable[Prompt]) -> list[tuple[int, int]]:
    """(object_id, frame) of each prompt, each of them once."""
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
            f"a session takes a model that is loaded, as in model=load_sam({model!r})"
        )
    if cache is not None:
        as_path(cache, "a cache", OptionError)
    if not (storage is None or isinstance(storage, str)):
        raise OptionError(f"storage is 'int8' or 'float16', not {storage!r}")
    if not (settings is None or isinstance(settings, Settings)):
        raise OptionError(f"settings are a Settings, not {settings!r}")


def _as_movie(
    movie: Any,
    axes: str | None,
    channel: int | str | None,
    series: int | str | None,
    contrast: Sequence[float] | None,
) -> Movie:
    if isinstance(movie, str | bytes | os.PathLike):
        where = as_expanded_path(movie, "a movie", FormatError)
        source = open_movie(where, axes=axes, channel=channel, series=series)
        return Movie(source.data, axes=source.axes, contrast=contrast)
    if series is not None:
        raise OptionError(
            "series picks one of several movies in a file; an array is one, so leave "
            "series out"
        )
    if not isinstance(movie, Movie):
        return Movie(movie, axes=axes, channel=channel, contrast=contrast)
    if (axes, channel, contrast) != (None, None, None):
        raise OptionError(
            "a Movie has its axes, channel and contrast already; give these to "
            "Movie(...)"
        )
    return movie


def _bundled_model() -> Sam:
    from napari_sam_decoder.weights.registry import load_sam

    return load_sam()
