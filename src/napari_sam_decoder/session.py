"""The Python API: one movie being segmented."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_sam_decoder.embedding import Embedder, nearest_first, open_store
from napari_sam_decoder.errors import OptionError, PromptError
from napari_sam_decoder.formats import open_movie
from napari_sam_decoder.frames import Movie
from napari_sam_decoder.labels import check_labels, merge_labels
from napari_sam_decoder.model.lanes import Lanes
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.propagation import (
    Direction,
    Draft,
    Scene,
    Settings,
    mend_all,
    plan,
    preview,
    propagate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from napari_sam_decoder.embedding import EmbeddedFrame
    from napari_sam_decoder.frames import ArrayLike
    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.propagation import (
        FrameResult,
        Hypothesis,
        Itinerary,
        Preview,
    )

__all__ = ["Session"]


class Session:
    """A movie, a network, a cache of embeddings and the prompts so far.

    Parameters
    ----------
    movie : Movie, array-like, str or Path
        What to segment; see `Movie` for the arrays and `open_movie` for the files.
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
        model: Sam | None = None,
        cache: str | Path | None = None,
        storage: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.movie = _as_movie(movie)
        self.model = model or _bundled_model()
        self.prompts = PromptSet()
        store = open_store(self.movie, self.model, cache, storage)
        self._embedder = Embedder(self.movie, self.model, store, Lanes(2))
        self.settings = settings or Settings()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the cache, so that others may clear it."""
        self._embedder.close()

    @property
    def scene(self) -> Scene:
        """A new one for each run: pixels may be edited in place between two runs."""
        return Scene.of(
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

    def add_prompt(self, prompt: Prompt) -> None:
        """Point at an object; joins what the object already has on that frame.

        Raises
        ------
        PromptError
            If the prompt lies outside the movie.
        """
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
        remaining = self.prompts.without(object_id, frame)
        if len(remaining) == len(self.prompts):
            raise PromptError(f"object {object_id} has no such prompt to remove")
        self.prompts = remaining

    @property
    def embedded(self) -> frozenset[int]:
        """Frames that the cache has a record of, without a look at their pixels."""
        return self._embedder.recorded()

    def embed(
        self, frames: range | None = None, *, focus: Callable[[], int] | None = None
    ) -> Iterator[EmbeddedFrame]:
        """Embed frames ahead of time; propagation does it by itself where needed.

        Parameters
        ----------
        frames : range, optional
            All by default, in the order given.
        focus : callable, optional
            Says before each step which frame matters most just now; the frame nearest
            to it comes next, instead of the order given.

        Returns
        -------
        iterator of EmbeddedFrame
            One per frame; stopping early loses nothing that was yielded.
        """
        asked = self._checked(frames)
        return self._embedder.fill(nearest_first(asked, focus) if focus else asked)

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
        prompt = self.prompts.at(object_id, frame)
        prompt.check(self.movie)
        return preview(self.scene, prompt).hypotheses

    def preview(self, prompt: Prompt) -> Preview:
        """Show what a prompt gives on its own frame, without adding it.

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
            If the prompt does not fit the movie.
        """
        prompt.check(self.movie)
        return preview(self.scene, prompt, sharpen_all=False)

    def plan(
        self,
        frames: range | None = None,
        direction: str = Direction.BOTH,
    ) -> Itinerary:
        """Say what `propagate` will do, without doing it.

        Parameters
        ----------
        frames : range, optional
            The frames to label, all by default.
        direction : {"both", "forward", "backward"}
            Which way objects are carried from their prompts.

        Returns
        -------
        Itinerary
            Its ``visits`` is the number of results to come.

        Raises
        ------
        OptionError, PromptError
            If the frames, direction or prompts do not fit.
        """
        return plan(self.prompts, self._checked(frames), Direction.of(direction))

    def propagate(
        self,
        frames: range | None = None,
        *,
        direction: str = Direction.BOTH,
        labels: ArrayLike | None = None,
        replace: bool = False,
    ) -> Iterator[FrameResult]:
        """Carry every object from its prompts through the movie.

        Prompts that are added while the results come count for the next call.

        Parameters
        ----------
        frames : range, optional
            The frames to label, all by default.
        direction : {"both", "forward", "backward"}
            Which way objects are carried from their prompts.
        labels : (T, Y, X) array-like of int, optional
            Labels that are there already. Each result then holds them too: pixels of
            objects without prompts stay, unless ``replace``.
        replace : bool, default False
            Whether new pixels overwrite those of other objects in ``labels``.

        Returns
        -------
        iterator of FrameResult
            As they come, not in the order of time; see `FrameResult.is_final`.

        Raises
        ------
        OptionError, PromptError, LabelsError
            If the frames, direction, prompts or labels do not fit; before the first
            result.
        """
        results = propagate(self.scene, self.plan(frames, direction))
        if labels is None:
            return results
        check_labels(labels, self.labels_shape)
        return _merged(results, labels, self.prompts.object_ids, replace=replace)

    def correct(
        self,
        prompts: Iterable[Prompt],
        labels: ArrayLike,
        frames: range | None = None,
    ) -> Iterator[FrameResult]:
        """Add prompts where the labels are wrong, and mend only what they concern.

        Each corrected frame becomes a fixed one. From there the object is carried
        anew up to its next fixed frames, and no farther than its result changes. All
        that the labels hold on fixed frames, painted pixels too, counts as certain.

        Parameters
        ----------
        prompts : iterable of Prompt
            Points may be negative ones alone, on a frame where the object has a mask.
            A prompt with a mask is taken as it is: the frame was painted.
        labels : (T, Y, X) array-like of int
            Labels as they are. Write each result into them before asking for the
            next one: ``labels[result.frame] = result.labels``.
        frames : range, optional
            Frames that may change, all by default.

        Returns
        -------
        iterator of FrameResult
            Only for frames that were computed anew, so that their number is the cost
            of the correction. Their labels hold all objects; those of this session
            give way to the corrected one, others do not.

        Raises
        ------
        OptionError, PromptError, LabelsError
            If the frames, prompts or labels do not fit; before the first result.
        """
        check_labels(labels, self.labels_shape)
        allowed, corrections = self._checked(frames), tuple(prompts)
        joined = self.prompts
        for prompt in corrections:
            prompt.check_inside(self.movie)
            joined = joined.add(prompt)
        places = list(dict.fromkeys((p.object_id, p.frame) for p in corrections))
        draft = Draft(labels.__getitem__, joined)
        for object_id, frame in places:
            if not draft.mask(object_id, frame).any():
                joined.at(object_id, frame).check(self.movie)
        self.prompts = joined
        return mend_all(self.scene, draft, places, allowed)

    def _checked(self, frames: range | None) -> range:
        every = range(len(self.movie))
        if frames is None:
            return every
        if not frames or frames[0] not in every or frames[-1] not in every:
            raise OptionError(
                f"frames {frames.start}:{frames.stop} do not lie in the movie, which "
                f"has {len(every)} frames (0:{len(every)})"
            )
        return frames


def _merged(
    results: Iterator[FrameResult],
    labels: ArrayLike,
    object_ids: tuple[int, ...],
    *,
    replace: bool,
) -> Iterator[FrameResult]:
    for result in results:
        existing = labels[result.frame]
        yield result.with_labels(
            merge_labels(existing, result.labels, object_ids, replace=replace)
        )


def _as_movie(movie: Any) -> Movie:
    if isinstance(movie, Movie):
        return movie
    if isinstance(movie, str | Path):
        source = open_movie(Path(movie))
        return Movie(source.data, axes=source.axes)
    return Movie(movie)


def _bundled_model() -> Sam:
    from napari_sam_decoder.model.registry import load_sam

    return load_sam()
