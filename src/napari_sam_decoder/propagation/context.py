"""What stays the same for a whole propagation, built once and handed in."""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from napari_sam_decoder.appearance.features import View, picture_of
from napari_sam_decoder.errors import OptionError
from napari_sam_decoder.frames import FrameGeometry
from napari_sam_decoder.propagation.prior import Grid
from napari_sam_decoder.thread_pool import ThreadPool
from napari_sam_decoder.validation import as_finite_number, as_integer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari_sam_decoder.flow import Flow
    from napari_sam_decoder.model.heads import Heads
    from napari_sam_decoder.model.values import (
        Embedding,
        FrameLogits,
        MaskCandidates,
        ModelPrompt,
    )

__all__ = ["Decoder", "FrameSource", "Kept", "Scene", "Settings"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A function that remembers its last few values, for several threads.

    Who asks for a value that another thread is just making waits for it.

    Parameters
    ----------
    make : callable
        Called with the arguments once for each that is not remembered; again for
        those for which it raised an error.
    most : int
        How many values to remember.
    """

    def __init__(self, make: Callable[..., Value], most: int) -> None:
        self._make = make
        self._most = most
        self._lock = Lock()
        self._values: OrderedDict[tuple[Any, ...], Future[Value]] = OrderedDict()

    def __call__(self, *key: Any) -> Value:
        """Return the value for these arguments."""
        with self._lock:
            value = self._values.get(key)
            is_new = value is None
            if value is None:
                value = self._values[key] = Future()
            # The oldest goes, even if it was asked for last: what was made ahead of
            # time has not been asked for yet.
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        if is_new:
            self._fill(value, key)
        return value.result()

    def _fill(self, value: Future[Value], key: tuple[Any, ...]) -> None:
        try:
            value.set_result(self._make(*key))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            with self._lock:
                self._values.pop(key, None)
            value.set_exception(error)


VIEWS_KEPT = 4
"""A step needs two frames, while the next two are prepared already."""
FLOWS_KEPT = 3
MAX_THREADS = 4
"""More objects at once than this wait for each other in Python."""


class FrameSource(Protocol):
    """Where frames and their embeddings come from; `Embedder` is one."""

    def get(self, frame: int) -> Embedding:
        """Return the embedding, computing it where it is lacking."""

    def look(self, frame: int) -> tuple[Embedding, np.ndarray]:
        """Return the embedding and the (Y, X, 3) uint8 pixels of a frame."""


class Decoder(Protocol):
    """What propagation needs of the network; `Sam` is one."""

    @property
    def image_size(self) -> int:
        """Side of the square input in model pixels."""

    @property
    def mask_size(self) -> int:
        """Side of the low-res logits."""

    def decode(
        self,
        embedding: Embedding,
        prompts: Sequence[ModelPrompt],
        previous_logits: Sequence[np.ndarray | None] | None = None,
    ) -> MaskCandidates:
        """Offer four masks for each prompt."""

    def enlarge(
        self, low_res_logits: np.ndarray, frame_shape: tuple[int, int]
    ) -> FrameLogits:
        """Bring (h, w) low-res logits to the pixels of the frame."""


def _between(low: float, high: float, default: float, step: float = 0.05) -> Any:
    """Make a field whose limits a form can show."""
    return field(default=default, metadata={"low": low, "high": high, "step": step})


@dataclass(frozen=True)
class Settings:
    """How propagation decides; the same for every kind of data.

    Attributes
    ----------
    doubtful_below : float
        0..1: a mask with less confidence is kept but marked.
    absent_below : float
        0..1: a mask with less confidence is dropped.
    unlike_below : float
        -1..1: a mask whose content looks less like the prompted object is dropped,
        see `Memory.likeness`. It tells a mask on empty background from the object.
    patience : int
        Frames during which a lost object is looked for around the place where it
        should have moved; after that, anywhere in the picture, by memory alone.
    stabilise : float
        0..1: how much of the flicker of the outline is taken out, see `smooth`; 0
        leaves each frame as it was decided.

    Raises
    ------
    OptionError
        If a value is no number, or outside its range.
    """

    doubtful_below: float = _between(0, 1, default=0.6)
    absent_below: float = _between(0, 1, default=0.35)
    unlike_below: float = _between(-1, 1, default=0.15)
    patience: int = _between(0, 1000, default=5, step=1)
    stabilise: float = _between(0, 1, default=0.0)

    def __post_init__(self) -> None:
        for name in ("doubtful_below", "absent_below", "unlike_below", "stabilise"):
            value = as_finite_number(getattr(self, name), name, OptionError)
            object.__setattr__(self, name, value)
        patience = as_integer(self.patience, "patience", OptionError)
        object.__setattr__(self, "patience", patience)
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
        if not 0 <= self.stabilise <= 1:
            raise OptionError(f"stabilise must lie in 0..1, not {self.stabilise:g}")


@dataclass(frozen=True)
class Scene:
    """The movie as the network sees it, the network, and how to decide.

    Attributes
    ----------
    source : FrameSource
    decoder : Decoder
    geometry : FrameGeometry
    grid : Grid
    settings : Settings
    look : callable
        Gives the embedding and the pixels of a frame; the last few are kept.
    view : callable
        Gives the `View` of a frame; the last few are kept.
    flow : callable
        Gives the `Flow` of a frame from another one before it: for each low-res pixel
        where it was.
    steps : ThreadPool
        One for the step that is taken, and one for what the next one will need.
    objects : ThreadPool
        Where the objects of a frame are thought about side by side.
    heads : Heads
        What rates hypotheses and draws masks, where it is not the decoder.
    """

    source: FrameSource
    decoder: Decoder
    geometry: FrameGeometry
    grid: Grid
    settings: Settings
    look: Callable[[int], tuple[Embedding, np.ndarray]] = field(repr=False)
    view: Callable[[int], View] = field(repr=False)
    flow: Callable[[int, int], Flow] = field(repr=False)
    steps: ThreadPool = field(repr=False)
    objects: ThreadPool = field(repr=False)
    heads: Heads = field(repr=False)

    @classmethod
    def of(
        cls,
        source: FrameSource,
        decoder: Decoder,
        frame_shape: tuple[int, int],
        settings: Settings,
        heads: Heads | None = None,
    ) -> Scene:
        """Derive the geometry from the frame's shape and the network's sizes."""
        from napari_sam_decoder.model.heads import Heads

        geometry = FrameGeometry.fit(frame_shape, decoder.image_size)
        grid = Grid.of(geometry, decoder.image_size, decoder.mask_size)

        def prepare(frame: int) -> View:
            embedding, rgb = look(frame)
            picture = picture_of(rgb, grid.content)
            return View(embedding, picture, decoder.mask_size)

        def compare(frame: int, before: int) -> Flow:
            from napari_sam_decoder.flow import optical_flow

            return optical_flow(view(frame).picture, view(before).picture)

        look = Kept(lambda frame: source.look(frame), VIEWS_KEPT)
        view = Kept(prepare, VIEWS_KEPT)
        flow = Kept(compare, FLOWS_KEPT)
        parts = source, decoder, geometry, grid, settings
        pools = ThreadPool(2), ThreadPool(MAX_THREADS)
        return cls(*parts, look, view, flow, *pools, heads or Heads())

    def embedding(self, frame: int) -> Embedding:
        """Return the embedding of a frame, read with its pixels if these are needed."""
        if self.heads.sharpener is None:
            return self.source.get(frame)
        return self.look(frame)[0]

    def rate(self, candidates: MaskCandidates) -> np.ndarray:
        """(B, 4) predicted IoUs for single clicks; by the rater, if there is one."""
        ratings, tokens = candidates.iou_predictions, candidates.tokens
        if self.heads.rater is None or tokens is None:
            return ratings
        return np.concatenate([ratings[:, :1], self.heads.rater.rate(tokens)], axis=1)

    def draw(self, frame: int, logits: np.ndarray) -> FrameLogits:
        """Bring the (h, w) low-res logits of an object to the pixels of a frame."""
        if self.heads.sharpener is None:
            return self.decoder.enlarge(logits, self.geometry.frame_shape)
        embedding, rgb = self.look(frame)
        return self.heads.sharpener.sharpen(rgb, embedding, logits)

    def prepare(self, frame: int, before: int) -> None:
        """Do what a step from one frame to the next needs whatever the objects are.

        Meant to be called in a lane of its own: an error is met again, and reported,
        when the step is taken.
        """
        view = self.view(frame)
        self.flow(frame, before)
        view.prepare()
