"""The windows through which a movie is seen, and what passes from one to another."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from napari_sam_decoder.frames import Pyramid, Window
from napari_sam_decoder.interactive import answer
from napari_sam_decoder.model.values import BACKGROUND_LOGIT
from napari_sam_decoder.propagation.context import Memo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from napari_sam_decoder.frames import Movie
    from napari_sam_decoder.interactive import Answer
    from napari_sam_decoder.model.values import Embedding
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation.context import Context, FrameSource
    from napari_sam_decoder.propagation.track import Track

__all__ = ["Views", "WholeFrames", "low_res_box", "transfer_logits"]

VIEWS_REMEMBERED = 8
"""Each keeps the features of a few frames, about 30 MB a frame."""
EXTENTS_REMEMBERED = 1000
CLEAR_FROM = 0.5
"""Rating of an answer from which it tells how large the object is."""


class Views:
    """A movie, seen as a whole and through windows.

    Parameters
    ----------
    whole : Context
        Sees all of each frame.
    pyramid : Pyramid, optional
        The windows; by default there are none beside the whole frame.
    source : callable, optional
        Returns the `FrameSource` of a window.
    overview : FrameSource, optional
        The whole frames, made smaller; by default they are as large as they are.

    Attributes
    ----------
    whole : Context
    pyramid : Pyramid
    """

    def __init__(
        self,
        whole: Context,
        pyramid: Pyramid | None = None,
        source: Callable[[Window], FrameSource] | None = None,
        overview: FrameSource | None = None,
    ) -> None:
        self.whole = whole
        self.pyramid = pyramid or Pyramid(whole.geometry.frame_shape)
        self._source = source
        self._overview_source = overview or whole.source
        self._near = Memo(self._open, VIEWS_REMEMBERED)
        self._extent = Memo(self._measure, EXTENTS_REMEMBERED)
        self._answers: dict[tuple[int, Window], list[Answer]] = {}

    @property
    def frame_shape(self) -> tuple[int, int]:
        """(Y, X) of all frames."""
        return self.pyramid.frame_shape

    @cached_property
    def _overview(self) -> Context:
        """The whole frame, reduced: that is enough to tell how large an object is."""
        source = _ReducedFrames(self._overview_source, self.whole.geometry.model_shape)
        return self.whole.through(Window.of_frame(source.shape), source)

    def at(self, window: Window) -> Context:
        """Return the context that sees a window."""
        return self.whole if window == self.pyramid.whole else self._near(window)

    def _open(self, window: Window) -> Context:
        if self._source is None:
            raise ValueError(f"there is no source for {window}")
        return self.whole.through(window, self._source(window))

    def grouped(
        self, prompts: Iterable[Prompt], known: Mapping[Prompt, Window] | None = None
    ) -> list[tuple[Window, list[tuple[Prompt, Prompt]]]]:
        """Group the prompts of a frame by the windows in which they are answered.

        Parameters
        ----------
        prompts : iterable of Prompt
            None that marks its object as absent.
        known : mapping of Prompt to Window, optional
            Of earlier prompts, by their beginnings.

        Returns
        -------
        list of (Window, list of (Prompt, Prompt))
            Each prompt in frame pixels, and in those of the window.
        """
        groups: dict[Window, list[tuple[Prompt, Prompt]]] = {}
        # In this order, so that a run takes the windows of the previews.
        for prompt in sorted(prompts, key=lambda one: one.object_id):
            earlier = known.get(prompt.beginning) if known else None
            window = self.window_of(prompt, earlier, groups)
            groups.setdefault(window, []).append((prompt, self.seen(prompt, window)))
        return list(groups.items())

    def answers(self, frame: int, window: Window) -> tuple[Answer, ...]:
        """Return the answers that the choice of windows has already needed."""
        return tuple(self._answers.get((frame, window), ()))

    def seen(self, prompt: Prompt, window: Window) -> Prompt:
        """Return what can be seen of a prompt in a window, in pixels of that window."""
        return prompt if window == self.pyramid.whole else prompt.seen_in(window)

    def window_of(
        self,
        prompt: Prompt,
        first_window: Window | None = None,
        beside: Iterable[Window] = (),
    ) -> Window:
        """Choose the window in which a prompt is answered.

        It follows from what shows the object first, so that later actions are answered
        in the same window, unless they show that the object reaches out of it. A box,
        lasso or painted mask tells how large the object is; of a click or scribble its
        answer does: in a window that another object has, or in very large frames in one
        around it, if it is well seen there, or else in the whole frame.

        Parameters
        ----------
        prompt : Prompt
            In frame pixels; it says where the object is.
        first_window : Window, optional
            That of the prompt's beginning, if it is known.
        beside : iterable of Window
            Those of other objects on the frame.

        Returns
        -------
        Window
        """
        pyramid = self.pyramid
        shown = prompt.outer_window if pyramid.sides else None
        if shown is None:
            return pyramid.whole
        window = first_window or self._choose(prompt.beginning, beside)
        return window if window.contains(shown) else pyramid.window_for(shown)

    def _choose(self, first: Prompt, beside: Iterable[Window]) -> Window:
        """Choose a window for what shows an object first."""
        shown = first.outer_window or self.pyramid.whole
        if first.outer_box is not None or first.mask is not None:
            return self.pyramid.window_for(shown)
        for window in (*beside, *self.pyramid.near(shown)):
            if window != self.pyramid.whole and window.contains(shown):
                box = self._answered_in(window, first)
                if box and self.pyramid.shows(box, window):
                    return window
        return self.pyramid.window_for(self._extent(first))

    def _answered_in(self, window: Window, first: Prompt) -> Window | None:
        """Answer a prompt in a window; return the bounding box of a mask that is clear.

        Within a large object, a window shows nothing clearly.
        """
        found = answer(self.at(window).shown(first.frame), first.seen_in(window))
        self._answers.setdefault((first.frame, window), []).append(found)
        box = Window.around(found.mask) if found.rating >= CLEAR_FROM else None
        return window.from_frame(box) if box else None

    def _measure(self, first: Prompt) -> Window:
        """Return the bounding box of what a click or scribble shows."""
        shown = first.outer_window or self.pyramid.whole
        overview = self._overview
        reduced = overview.geometry.frame_shape
        scale = np.divide(reduced, self.frame_shape)
        found = answer(overview.shown(first.frame), first.rescaled(scale, reduced))
        box = Window.around(found.mask)
        return shown.joined(box.rescaled(1 / scale)) if box else shown

    def follow(self, frame: int, tracks: Mapping[int, Track]) -> dict[int, Track]:
        """Let the objects that leave their windows go on in others.

        Parameters
        ----------
        frame : int
            On which the tracks are.
        tracks : mapping of object id to Track
            As the frame has left them.

        Returns
        -------
        dict of object id to Track
        """
        if not self.pyramid.sides:
            return dict(tracks)
        shared = [track.window for track in tracks.values()]

        def followed(track: Track) -> Track:
            box = track.extent
            if box is None or track.missed:
                return track
            ahead = box.moved(*track.velocity)
            window = self.pyramid.next_window(box, ahead, track.window, shared)
            if window == track.window:
                return track
            return track.seen_in(window, self.at(window).features(frame))

        return {key: followed(track) for key, track in tracks.items()}


class WholeFrames:
    """Frames in full, with the embeddings of smaller ones.

    Parameters
    ----------
    overview : FrameSource
        The whole frames, made smaller.
    movie : Movie
        The frames.
    """

    def __init__(self, overview: FrameSource, movie: Movie) -> None:
        self._overview, self._movie = overview, movie

    def get(self, frame: int) -> Embedding:
        """See `FrameSource.get`."""
        return replace(self._overview.get(frame), frame_shape=self._movie.frame_shape)

    def get_with_pixels(self, frame: int) -> tuple[Embedding, np.ndarray]:
        """See `FrameSource.get_with_pixels`."""
        return self.get(frame), self._movie.rgb(frame)


class _ReducedFrames:
    """The frames of a movie, made smaller.

    Parameters
    ----------
    source : FrameSource
        Of the whole frames.
    shape : (rows, columns)
        Of the reduced ones.
    """

    def __init__(self, source: FrameSource, shape: tuple[int, int]) -> None:
        self._source = source
        self.shape = shape

    def get(self, frame: int) -> Embedding:
        """See `FrameSource.get`."""
        return replace(self._source.get(frame), frame_shape=self.shape)

    def get_with_pixels(self, frame: int) -> tuple[Embedding, np.ndarray]:
        """See `FrameSource.get_with_pixels`."""
        embedding, rgb = self._source.get_with_pixels(frame)
        size = self.shape[::-1]
        small = Image.fromarray(rgb).resize(
            size, Image.Resampling.BILINEAR, reducing_gap=2.0
        )
        return replace(embedding, frame_shape=self.shape), np.asarray(small)


def transfer_logits(logits: np.ndarray, source: Window, target: Window) -> np.ndarray:
    """Bring low-res logits from one window to another.

    Parameters
    ----------
    logits : (h, h) array of float32
        Over the source, whose longer side fills the grid.
    source, target : Window
        Of the frame.

    Returns
    -------
    (h, h) array of float32
        Interpolated; `BACKGROUND_LOGIT` where the source shows nothing.
    """
    if source == target:
        return logits
    side = logits.shape[-1]
    unit, scale = source.side / side, target.side / source.side
    offset = np.subtract(target.origin, source.origin) / unit + (scale - 1) / 2
    moved: np.ndarray = ndimage.affine_transform(
        logits,
        np.full(2, scale),
        offset,
        order=1,
        mode="constant",
        cval=BACKGROUND_LOGIT,
    )
    return moved


def low_res_box(logits: np.ndarray, window: Window) -> Window | None:
    """Return the bounding box in the frame of low-res logits over a window."""
    box = Window.around(logits > 0)
    if box is None:
        return None
    unit = window.side / logits.shape[-1]
    row, column, rows, columns = (
        round(value * unit) for value in (box.row, box.column, box.rows, box.columns)
    )
    return window.from_frame(Window(row, column, max(rows, 1), max(columns, 1)))
