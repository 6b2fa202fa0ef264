"""What has been done on each movie of a viewer, which outlives the dock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari_sam_decoder.propagation import Direction
from napari_sam_decoder.weights.catalogue import AUTO_DECODER
from napari_sam_decoder.widgets.objects import ObjectList
from napari_sam_decoder.widgets.previews import PreviewStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import Settings
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.layers import Limits, MovieView
    from napari_sam_decoder.widgets.target_layer import LabelsTarget

__all__ = ["ModelOptions", "MovieState", "PendingRun", "RunRequest", "ViewerMovies"]


@dataclass(frozen=True)
class ModelOptions:
    """How frames become embeddings, and these become masks.

    Attributes
    ----------
    model, decoder : str or Path
        As `load_sam` takes them.
    device, precision : str
        As `load_sam` takes them.
    contrast : (float, float), optional
        Intensities shown to the network as black and white; chosen from the movie
        when absent.
    cache : str, Path or None
        As in `Session`: "auto", a folder, or None for memory.
    """

    model: str | Path = "mobile_sam"
    device: str = "auto"
    contrast: tuple[float, float] | None = None
    cache: str | Path | None = "auto"
    decoder: str | Path = AUTO_DECODER
    precision: str = "auto"

    def for_another_movie(self) -> Self:
        """Keep what does not belong to one movie: neither contrast nor cache folder."""
        cache = self.cache if self.cache is None else "auto"
        return replace(self, contrast=None, cache=cache)


@dataclass(frozen=True)
class RunRequest:
    """A propagation that is wanted.

    Attributes
    ----------
    direction : Direction
    frames : range, optional
        All by default.
    object_ids : tuple of int, optional
        All by default.
    replace : bool
        Whether it may overwrite other objects and what was painted by hand.
    is_rerun : bool
        Whether nobody has asked for it, and it follows from points that have changed.
    """

    direction: Direction = Direction.BOTH
    frames: range | None = None
    object_ids: tuple[int, ...] | None = None
    replace: bool = False
    is_rerun: bool = False

    def choose(self, prompts: PromptSet) -> PromptSet:
        """Return the prompts of the asked objects."""
        if self.object_ids is None:
            return prompts
        chosen = prompts
        for object_id in set(prompts.object_ids) - set(self.object_ids):
            chosen = chosen.without(object_id)
        return chosen


_ATTRIBUTE = "_sam_decoder_work"


@dataclass(eq=False)
class MovieState:
    """All that belongs to one image layer, found again when it is chosen again.

    Attributes
    ----------
    options : ModelOptions
        How its frames become embeddings.
    axis : int or None
        The axis that a person has chosen to follow it along.
    view : MovieView or None
        As it was looked at last; None for the work on no movie.
    objects : ObjectList
        Its objects and their points.
    target : LabelsTarget or None
        Where results go; None for a new Labels layer.
    targets : dict
        All Labels layers of the viewer that results have gone to, as they were left.
    lost : weakref.ref or None
        The Labels layer that results went to and that was removed; it is taken again
        if it comes back.
    hidden : list of Layer
        Points and labels that are hidden while another movie is chosen.
    wants_embedding : bool or None
        Whether frames are to be embedded ahead of time; None before anybody has said.
    outcome : str
        What came of the last run.
    session : Session or None
        Open for `view` and `options`, or not open.
    shown : (float, float) or None
        Limits of the layer when that session was opened.
    embedded : set of int
        Frames whose embedding that session has.
    previews : PreviewStore
        What that session has shown.
    """

    options: ModelOptions = field(default_factory=ModelOptions)
    axis: int | None = None
    view: MovieView | None = None
    objects: ObjectList = field(default_factory=ObjectList)
    target: LabelsTarget | None = None
    targets: dict[Labels, LabelsTarget] = field(default_factory=dict)
    lost: ref[Labels] | None = None
    hidden: list[Layer] = field(default_factory=list)
    wants_embedding: bool | None = None
    outcome: str = ""
    session: Session | None = None
    shown: Limits | None = None
    embedded: set[int] = field(default_factory=set)
    previews: PreviewStore = field(default_factory=PreviewStore)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that belong to the movie: its points and its labels."""
        return (*self.objects.layers, *self.targets)

    @property
    def name(self) -> str:
        """Of the image layer."""
        return "" if self.view is None else str(self.view.layer.name)

    def detach_session(self) -> Session | None:
        """Return the session, and forget it with all that came of it."""
        session, self.session = self.session, None
        self.embedded = set()
        self.previews.clear()
        return session


@dataclass(frozen=True, eq=False)
class PendingRun:
    """A propagation that waits for its turn.

    Attributes
    ----------
    state : MovieState
        On the movie.
    view : MovieView
        The movie as it was when the run was asked for.
    prompts : PromptSet
        Those of now, or of when another movie was chosen.
    request : RunRequest
    """

    state: MovieState
    view: MovieView
    prompts: PromptSet
    request: RunRequest


class ViewerMovies:
    """The work on all movies of a viewer, whether a dock is open or not.

    Parameters
    ----------
    viewer : ViewerModel
        Nothing of it is kept longer than it lives.

    Attributes
    ----------
    settings : Settings or None
        How propagation decides on all of them; None before anybody has said.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.settings: Settings | None = None
        self._viewer = ref(viewer)
        self._last: ref[Image] | None = None
        self._given: dict[tuple[int, ...], set[int]] = {}

    @staticmethod
    def of(viewer: ViewerModel) -> ViewerMovies:
        """Return the one of a viewer."""
        return _OF_VIEWERS.setdefault(viewer, ViewerMovies(viewer))

    @property
    def last(self) -> Image | None:
        """The movie that was chosen last, if the viewer still has it."""
        viewer, layer = self._viewer(), self._last and self._last()
        return layer if viewer is not None and layer in viewer.layers else None

    def __iter__(self) -> Iterator[MovieState]:
        """Give the work on all movies that the viewer has."""
        viewer = self._viewer()
        for layer in () if viewer is None else tuple(viewer.layers):
            state = self.find(layer)
            if state is not None:
                yield state

    @staticmethod
    def find(layer: Layer) -> MovieState | None:
        """Return the work on a layer, if there is any and it is a movie."""
        state: MovieState | None = getattr(layer, _ATTRIBUTE, None)
        return state

    def on(self, layer: Image, options: ModelOptions) -> MovieState:
        """Return the work on a movie, and remember that it was chosen.

        Parameters
        ----------
        layer : napari.layers.Image
            It keeps its work itself: that knows the layer, so that a dictionary with
            weak keys would keep both for ever.
        options : ModelOptions
            For a movie that was not chosen before.
        """
        self._last = ref(layer)
        state = self.find(layer)
        if state is None:
            state = MovieState(options)
            setattr(layer, _ATTRIBUTE, state)
        return state

    def given_ids(self, view: MovieView) -> set[int]:
        """Ids that objects on movies of a shape have ever been given; may be added to.

        Movies of one shape may share their labels.
        """
        return self._given.setdefault(view.spatial_shape, set())


_OF_VIEWERS: WeakKeyDictionary[ViewerModel, ViewerMovies] = WeakKeyDictionary()
