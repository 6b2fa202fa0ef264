"""What runs off the GUI thread: generators that open a session or decode prompts."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from napari_sam_decoder.frames import Movie
from napari_sam_decoder.frames.composite import Composite
from napari_sam_decoder.session import Session
from napari_sam_decoder.thread_pool import set_torch_threads
from napari_sam_decoder.widgets.layers import is_automatic
from napari_sam_decoder.widgets.thumbnails import (
    common_window,
    draw_thumbnails,
    places_shown,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from napari.layers import Layer

    from napari_sam_decoder.model.sam import Sam
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.propagation import Preview
    from napari_sam_decoder.widgets.layers import Channel, Limits, MovieView
    from napari_sam_decoder.widgets.movie_state import ModelOptions

__all__ = [
    "ModelCache",
    "SessionRequest",
    "ShownPreview",
    "computing",
    "leave_a_core",
    "show_prompts",
]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class SessionRequest:
    """What a session is opened for, and how.

    Attributes
    ----------
    view : MovieView
    options : ModelOptions
    shown : tuple of (float, float) or None
        The contrast limits of the layer, or of that of each channel, where they mean
        anything.
    frame : int
        The one that the viewer shows.
    channels : tuple of Channel
        The colours of a composite; none for the movie alone.
    layers : tuple of napari.layers.Layer
        Of the viewer, among which these are.
    """

    view: MovieView
    options: ModelOptions
    shown: tuple[Limits | None, ...] = (None,)
    frame: int = 0
    channels: tuple[Channel, ...] = ()
    layers: tuple[Layer, ...] = ()

    def movie(self) -> Movie:
        """Open the movie, or the composite of its channels. Some pixels may be read.

        Raises
        ------
        MovieError
            If a channel is not there.
        """
        if not self.channels:
            return self._opened(self.view, self.shown[0])
        return Composite(
            [
                self._opened(one.view(self.view, self.layers), shown, one.contrast)
                for one, shown in zip(self.channels, self.shown, strict=True)
            ]
        )

    def _opened(
        self, part: MovieView, shown: Limits | None, contrast: Limits | None = None
    ) -> Movie:
        return Movie(
            part.frames,
            axes=self.view.axes,
            contrast=self.options.contrast or contrast or self._set_for(part, shown),
            coarser=part.coarser_frames,
            position=self.view.position,
        )

    def _set_for(self, part: MovieView, shown: Limits | None) -> Limits | None:
        """Limits that a person has set for a layer; None to measure its pixels."""
        is_set = shown is not None and not is_automatic(part, shown, self.frame)
        return shown if is_set else None

    def is_same_as(self, other: SessionRequest | None) -> bool:
        """Whether a session opened for the other one serves for this."""
        return (
            other is not None
            and self.options == other.options
            and self.view.is_same_as(other.view)
        )


@dataclass(frozen=True, eq=False)
class ShownPreview:
    """A preview, with its pictures once they are drawn.

    Attributes
    ----------
    preview : Preview
    thumbnails : tuple of (96, 96, 3) arrays of uint8
        Of hypotheses 1, 2 and 3; empty before they are drawn.
    together : frozenset of Prompt
        All prompts that were decided together with it, its own included.
    """

    preview: Preview
    thumbnails: tuple[np.ndarray, ...] = ()
    together: frozenset[Prompt] = frozenset()


class ModelCache:
    """Keeps the network that was used last, since loading one takes seconds."""

    def __init__(self) -> None:
        self._loaded: tuple[tuple[str | Path, ...], Sam] | None = None

    def load(
        self, options: ModelOptions, frame_shape: tuple[int, int]
    ) -> Generator[Sam]:
        """Load all that a session needs, unless it was used before.

        Parameters
        ----------
        options : ModelOptions
            Of which the model, device, number type and decoder count.
        frame_shape : (int, int)
            (Y, X) of the frames for which it is prepared.

        Yields
        ------
        Sam
            Once it is loaded, and again once it is prepared.
        """
        leave_a_core()
        sam = self._get(options)
        yield sam
        import zarr  # noqa: F401 - the cache needs it, and it takes half a second

        sam.prepare(frame_shape)
        yield sam

    def open_session(self, opening: SessionRequest) -> Generator[Session]:
        """Load the network if necessary, and open the movie and its cache.

        Parameters
        ----------
        opening : SessionRequest
            What to open, and with which options.

        Yields
        ------
        Session
            Once.
        """
        leave_a_core()
        sam = self._get(opening.options)
        yield Session(opening.movie(), model=sam, cache=opening.options.cache)

    def _get(self, options: ModelOptions) -> Sam:
        from napari_sam_decoder.weights.registry import load_sam

        wanted = options.model, options.device, options.precision, options.decoder
        if self._loaded is None or self._loaded[0] != wanted:
            sam = load_sam(
                options.model,
                device=options.device,
                precision=options.precision,
                decoder=options.decoder,
            )
            self._loaded = wanted, sam
        return self._loaded[1]


def leave_a_core() -> None:
    """Let torch use all processor cores but one, which is left to the window.

    To be called on each thread that computes. It applies to that thread alone, and
    never gives it more cores than torch would use by default.
    """
    import torch

    cores = (os.cpu_count() or 1) - 1
    set_torch_threads(max(1, min(cores, torch.get_num_threads())))


def show_prompts(
    session: Session,
    prompts: tuple[Prompt, ...],
    known: tuple[ShownPreview, ...],
    colours: Mapping[int, np.ndarray],
) -> Generator[ShownPreview]:
    """Decode the prompts of a frame together, and draw the hypotheses.

    Parameters
    ----------
    session : Session
        Opened for the movie of the prompts.
    prompts : tuple of Prompt
        All on one frame, within the movie.
    known : tuple of ShownPreview
        Earlier ones on the frame, whose masks and pictures are used again.
    colours : mapping of object id to RGBA array
        The colour of each object, 0..1.

    Yields
    ------
    ShownPreview
        First one per prompt, as soon as it is decoded, and then those whose pictures
        had to be drawn.
    """
    leave_a_core()
    earlier = {_masks(shown.preview): shown.thumbnails for shown in known}
    together = frozenset(prompts)
    shown = [
        ShownPreview(preview, earlier.get(_masks(preview), ()), together)
        for preview in session.preview_together(
            prompts, [shown.preview for shown in known]
        )
    ]
    yield from shown
    for one in shown:
        if not one.thumbnails and one.preview.hypotheses:
            prompt, movie = one.preview.prompt, session.movie
            masks = [offered.placed for offered in one.preview.hypotheses]
            places = places_shown(one.preview)
            window = common_window(movie.frame_shape, masks, places)
            pixels = movie.cut(window).rgb(prompt.frame)
            colour = colours[prompt.object_id]
            pictures = draw_thumbnails(pixels, window, masks, colour)
            yield replace(one, thumbnails=pictures)


def _masks(preview: Preview) -> tuple[int, ...]:
    """Identify the masks of a preview, to find pictures that were drawn before."""
    return tuple(id(offered.placed.pixels) for offered in preview.hypotheses)


def computing(steps: Iterator[T]) -> Generator[T]:
    """Take steps that compute, and leave one core to the window.

    Parameters
    ----------
    steps : iterator
        Closed with the generator.

    Yields
    ------
    object
        What the steps yield.
    """
    leave_a_core()
    yield from steps
