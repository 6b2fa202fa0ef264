"""What stays the same during a propagation: movie, network, settings and memos."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from napari_sam_decoder.appearance.features import (
    FrameFeatures,
    channels_of,
    low_res_picture,
)
from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.frames import FrameGeometry, Window
from napari_sam_decoder.interactive import ShownFrame, bundled_refiner
from napari_sam_decoder.propagation.prior import Grid
from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.validation import as_finite_number, as_integer

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.flow import Flow
    from napari_sam_decoder.interactive import Decoder, Refiner
    from napari_sam_decoder.model.heads import Heads
    from napari_sam_decoder.model.values import (
        Embedding,
        FrameLogits,
        MaskCandidates,
    )

__all__ = ["Context", "FrameSource", "Memo", "Settings"]

Value = TypeVar("Value")


class Memo(Generic[Value]):
    """A function that remembers its latest values, for several threads.

    A thread that asks for a value which another thread is computing waits for it.

    Parameters
    ----------
    function : callable
        Called once for each set of arguments, and again after an error.
    max_values : int
        How many values to remember.
    """

    def __init__(self, function: Callable[..., Value], max_values: int) -> None:
        self._function = function
        self._max_values = max_values
        self._lock = Lock()
        self._values: OrderedDict[tuple[Any, ...], Future[Value]] = OrderedDict()

    def __call__(self, *key: Any) -> Value:
        """Return the value for these arguments."""
        with self._lock:
            value = self._values.get(key)
            is_new = value is None
            if value is None:
                value = self._values[key] = Future()
            # Drop the oldest, even if it was the last to be used: what was computed
            # ahead of time has not been used yet.
            while len(self._values) > self._max_values:
                self._values.popitem(last=False)
        if is_new:
            self._compute(value, key)
        return value.result()

    def _compute(self, value: Future[Value], key: tuple[Any, ...]) -> None:
        try:
            value.set_result(self._function(*key))
        except BaseException as error:  # noqa: BLE001 - raised in all waiting threads
            with self._lock:
                self._values.pop(key, None)
            value.set_exception(error)


FEATURES_REMEMBERED = 4
"""A step needs two frames while the next two are being prepared."""
FLOWS_REMEMBERED = 3
MAX_THREADS = 4
"""With more threads, objects only wait for each other in Python."""


class FrameSource(Protocol):
    """Where frames and their embeddings come from, for example an `Embedder`."""

    def get(self, frame: int) -> Embedding:
        """Return the embedding of a frame; it is computed if the cache lacks it."""

    def get_with_pixels(self, frame: int) -> tuple[Embedding, np.ndarray]:
        """Return the embedding and the (Y, X, 3) uint8 pixels of a frame."""


SMALLEST_WINDOW = 128
"""Enlarged further, a picture shows the network nothing."""


def _between(low: float, high: float, default: float, step: float = 0.05) -> Any:
    """Make a field whose limits a form can show."""
    return field(default=default, metadata={"low": low, "high": high, "step": step})


@dataclass(frozen=True)
class Settings:
    """How propagation decides; the same for every kind of data.

    Attributes
    ----------
    doubtful_below : float
        0..1: a mask with less confidence or likeness is kept but marked.
    absent_below : float
        0..1: a mask with less confidence is dropped.
    unlike_below : float
        -1..1: a mask is dropped if its content looks less like the prompted object, see
        `Memory.likeness`. This tells the object from empty background.
    patience : int
        Number of frames during which a lost object is searched for where it should have
        moved; after that it is searched for everywhere, by appearance alone.
    stabilise : float
        0..1: how much of the outline's flicker is removed, see
        `accumulator.stabilise`; 0 leaves each frame as it was decided.
    smallest_window : int
        Side in frame pixels of the smallest windows through which frames are seen that
        are larger than the network's input, see `Pyramid`. If it is larger than the
        frames they are only seen as a whole.

    Raises
    ------
    OptionError
        If a value is not a number or outside its range.
    """

    doubtful_below: float = _between(0, 1, default=0.6)
    absent_below: float = _between(0, 1, default=0.35)
    unlike_below: float = _between(-1, 1, default=0.15)
    patience: int = _between(0, 1000, default=5, step=1)
    stabilise: float = _between(0, 1, default=0.0)
    smallest_window: int = _between(SMALLEST_WINDOW, 100_000, default=512, step=128)

    def __post_init__(self) -> None:
        for name in ("doubtful_below", "absent_below", "unlike_below", "stabilise"):
            value = as_finite_number(getattr(self, name), name, OptionError)
            object.__setattr__(self, name, value)
        for name in ("patience", "smallest_window"):
            count = as_integer(getattr(self, name), name, OptionError)
            object.__setattr__(self, name, count)
        if not 0 <= self.absent_below <= self.doubtful_below <= 1:
            raise OptionError(
                "thresholds must satisfy 0 <= absent_below <= doubtful_below <= 1, not "
                f"{self.absent_below:g} and {self.doubtful_below:g}"
            )
        if not -1 <= self.unlike_below <= 1:
            raise OptionError(
                f"unlike_below must lie in -1..1, not {self.unlike_below:g}"
            )
        if self.patience < 0:
            raise OptionError(f"patience must be 0 or more frames, not {self.patience}")
        if self.smallest_window < SMALLEST_WINDOW:
            raise OptionError(
                f"smallest_window must be {SMALLEST_WINDOW} pixels or more, not "
                f"{self.smallest_window}"
            )
        if not 0 <= self.stabilise <= 1:
            raise OptionError(f"stabilise must lie in 0..1, not {self.stabilise:g}")


class Context:
    """The movie as the network sees it, the network, and how to decide.

    Parameters
    ----------
    source : FrameSource
        Of the movie.
    decoder : Decoder
        The network.
    frame_shape : (int, int)
        (Y, X) of all frames.
    settings : Settings
        How to decide.
    heads : Heads, optional
        A rater and a sharpener; without them the decoder rates and enlarges masks.
    refiner : Refiner, optional
        By default the one that comes with the package.
    window : Window, optional
        What is seen of the frames; all by default.

    Attributes
    ----------
    window : Window
        What is seen of the frames. Prompts, masks and pixels are those of the window.
    geometry : FrameGeometry
        From frame pixels to model pixels.
    grid : Grid
        The low-res pixels over the frame.
    with_pixels : callable
        Returns the embedding and the pixels of a frame; remembers the latest.
    shown : callable
        Returns the `ShownFrame` of a frame; remembers the latest.
    features : callable
        Returns the `FrameFeatures` of a frame; remembers the latest.
    flow : callable
        Returns the `Flow` of a frame from another one before it: for each low-res pixel
        where it was there. Remembers the latest.
    frame_threads : ThreadPool
        One thread for the current frame, one to prepare the next.
    object_threads : ThreadPool
        For the objects of a frame side by side.
    """

    def __init__(
        self,
        source: FrameSource,
        decoder: Decoder,
        frame_shape: tuple[int, int],
        settings: Settings,
        heads: Heads | None = None,
        refiner: Refiner | None = None,
        window: Window | None = None,
    ) -> None:
        from napari_sam_decoder.model.heads import Heads

        self.window = window or Window.of_frame(frame_shape)
        self.source = source
        self.decoder = decoder
        self.settings = settings
        self.heads = heads or Heads()
        self.geometry = FrameGeometry.fit(self.window.shape, decoder.image_size)
        self.grid = Grid.of(self.geometry, decoder.image_size, decoder.mask_size)
        self._refiner = refiner
        self.with_pixels = Memo(self._read, FEATURES_REMEMBERED)
        self.shown = Memo(self._show, FEATURES_REMEMBERED)
        self.features = Memo(self._compute_features, FEATURES_REMEMBERED)
        self.flow = Memo(self._compute_flow, FLOWS_REMEMBERED)
        self.frame_threads = ThreadPool(2)
        self.object_threads = ThreadPool(MAX_THREADS)

    def through(self, window: Window, source: FrameSource) -> Context:
        """Return a context in which a window of the frames is all that is seen.

        Parameters
        ----------
        window : Window
            Of the frame.
        source : FrameSource
            Of the movie, cut to the window.
        """
        context = Context(
            source,
            self.decoder,
            self.geometry.frame_shape,
            self.settings,
            self.heads,
            self._refiner,
            window,
        )
        context.frame_threads = self.frame_threads
        context.object_threads = self.object_threads
        return context

    def _read(self, frame: int) -> tuple[Embedding, np.ndarray]:
        return self.source.get_with_pixels(frame)

    def _show(self, frame: int) -> ShownFrame:
        embedding, rgb = self.with_pixels(frame)
        return ShownFrame(
            np.ascontiguousarray(channels_of(rgb)),
            embedding,
            self.decoder,
            self._refiner or bundled_refiner(),
            self.geometry,
            self.rate,
            partial(self.draw, frame),
        )

    def _compute_features(self, frame: int) -> FrameFeatures:
        embedding, rgb = self.with_pixels(frame)
        picture = low_res_picture(rgb, self.grid.content)
        return FrameFeatures(embedding, picture, self.decoder.mask_size)

    def _compute_flow(self, frame: int, before: int) -> Flow:
        from napari_sam_decoder.flow import optical_flow

        return optical_flow(self.features(frame).picture, self.features(before).picture)

    def embedding(self, frame: int) -> Embedding:
        """Return the embedding of a frame, read with its pixels if these are needed."""
        if self.heads.sharpener is None:
            return self.source.get(frame)
        return self.with_pixels(frame)[0]

    def rate(self, candidates: MaskCandidates) -> np.ndarray:
        """Return (B, 4) ratings of the masks for single clicks, by the rater if any."""
        ratings, tokens = candidates.iou_predictions, candidates.tokens
        if self.heads.rater is None or tokens is None:
            return ratings
        return np.concatenate([ratings[:, :1], self.heads.rater.rate(tokens)], axis=1)

    def draw(self, frame: int, logits: np.ndarray) -> FrameLogits:
        """Bring the (h, w) low-res logits of an object to the pixels of a frame."""
        if self.heads.sharpener is None:
            return self.decoder.enlarge(logits, self.geometry.frame_shape)
        embedding, rgb = self.with_pixels(frame)
        return self.heads.sharpener.sharpen(rgb, embedding, logits)

    def prepare(self, frame: int, before: int) -> None:
        """Compute what the step to a frame needs, whatever the objects are.

        Meant to run in a thread of its own. An error occurs again, and is reported,
        when the step itself is taken.
        """
        features = self.features(frame)
        self.flow(frame, before)
        features.prepare()
