"""What has been done on each movie of a viewer; it outlives the dock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from napari_sam_decoder.project import (
    COMPOSITE,
    DEFAULT_LIMIT,
    LabelsChange,
    Project,
    TargetRecord,
    find_decoder,
    is_learned,
)
from napari_sam_decoder.weights.catalogue import AUTO_DECODER, DECODERS
from napari_sam_decoder.widgets.layers import check_target, shown_limits
from napari_sam_decoder.widgets.objects import ObjectList, ObjectLook
from napari_sam_decoder.widgets.previews import PreviewStore
from napari_sam_decoder.widgets.target_layer import TargetLayer, UndoKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from typing import Self

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer

    from napari_sam_decoder.frames import Window
    from napari_sam_decoder.jobs import Report
    from napari_sam_decoder.jobs.learn import LearnedDecoder
    from napari_sam_decoder.project import (
        History,
        MovieIdentity,
        ProjectSummary,
        RunRequest,
        Step,
    )
    from napari_sam_decoder.prompts import PromptSet
    from napari_sam_decoder.propagation import ObjectResult, Settings
    from napari_sam_decoder.session import Session
    from napari_sam_decoder.widgets.layers import Channel, Limits, MovieView

__all__ = [
    "USE_DECODER",
    "ModelOptions",
    "MovieState",
    "PendingRun",
    "ViewerMovies",
    "decoder_of",
    "named_or_path",
]

USE_DECODER = "decoder"
"""The kind of a step that changes the decoder of a movie."""


def named_or_path(text: str, names: Container[str]) -> str | Path:
    """Take a name for what it is, and anything else for the path of a file."""
    return text if text in names else Path(text)


def decoder_of(text: str) -> str | Path:
    """Take the name of a decoder, or the path of a trained one."""
    return named_or_path(text, {AUTO_DECODER, *DECODERS})


@dataclass(frozen=True)
class ModelOptions:
    """How frames become embeddings, and embeddings become masks.

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
        """Keep what does not belong to one movie.

        Neither contrast nor cache folder, nor what was learned from it.
        """
        cache = self.cache if self.cache is None else "auto"
        decoder = AUTO_DECODER if is_learned(self.decoder) else self.decoder
        return replace(self, contrast=None, cache=cache, decoder=decoder)


_ATTRIBUTE = "_sam_decoder_work"


@dataclass(eq=False)
class MovieState:
    """Everything about one image layer, found again when it is chosen again.

    Attributes
    ----------
    options : ModelOptions
        How its frames become embeddings.
    axis : int or None
        The axis that a person has chosen to follow objects along.
    view : MovieView or None
        The movie as it was last shown; None if there is none.
    objects : ObjectList
        Its objects and their points.
    target : TargetLayer or None
        Where results go; None for a new Labels layer.
    targets : dict
        All Labels layers of the viewer that results have gone to.
    removed : dict
        Those that were removed; the history goes on with one that is added again.
    lost : weakref.ref or None
        The Labels layer that results went to and that was removed; it is used again if
        it is added again.
    hidden : list of Layer
        Points and labels that are hidden while another movie is current.
    wants_embedding : bool or None
        Whether to embed frames ahead of time; None if that was not decided yet.
    outcome : str
        What the last run has done, in one line.
    channels : tuple of Channel
        What the network sees as red, green and blue; none for the movie alone.
    session : Session or None
        Open for `view`, `options` and `channels`, or not open.
    shown : tuple of (float, float) or None
        Limits of the layer, or of that of each channel, when that session was opened.
    embedded : set of int
        Frames whose embedding that session has: as a whole, or of large frames what
        `embedded_windows` says.
    embedded_windows : frozenset of Window
        The parts of large frames that are embedded ahead; empty for the whole.
    embedded_ahead : set of int
        Frames that were embedded ahead with all of these parts.
    previews : PreviewStore
        What that session has decoded for points.
    report : Report or None
        What was measured last in its labels.
    wanted_search : int or None
        Frame on which to look for objects as soon as that is possible.
    wants_learning : bool
        Whether to learn from its fixed frames as soon as that is possible.
    learning_steps : int or None
        Of that training, if a script has set them.
    learned : LearnedDecoder or None
        What was learned from them, as long as nobody has decided about it.
    project : Project
        Everything that was done, to be undone and redone, and its file.
    followed : Project or None
        The project that `ProjectFiles` keeps in a file.
    identity : MovieIdentity or None
        What tells the movie from others; None before that is found out.
    offers : tuple of ProjectSummary
        Projects of the same movie that were made before.
    is_keeping_off : bool
        Whether no file can be made for what is done.
    keys : UndoKeys or None
        What keys on its layers call, while a dock is open.
    """

    options: ModelOptions = field(default_factory=ModelOptions)
    axis: int | None = None
    view: MovieView | None = None
    objects: ObjectList = field(default_factory=ObjectList)
    target: TargetLayer | None = None
    targets: dict[Labels, TargetLayer] = field(default_factory=dict)
    removed: dict[Labels, TargetLayer] = field(default_factory=dict)
    lost: ref[Labels] | None = None
    hidden: list[Layer] = field(default_factory=list)
    wants_embedding: bool | None = None
    outcome: str = ""
    channels: tuple[Channel, ...] = ()
    session: Session | None = None
    shown: tuple[Limits | None, ...] = ()
    embedded: set[int] = field(default_factory=set)
    embedded_windows: frozenset[Window] = frozenset()
    embedded_ahead: set[int] = field(default_factory=set)
    previews: PreviewStore = field(default_factory=PreviewStore)
    report: Report | None = None
    wanted_search: int | None = None
    wants_learning: bool = False
    learning_steps: int | None = None
    learned: LearnedDecoder | None = None
    project: Project = field(default_factory=Project)
    followed: Project | None = None
    identity: MovieIdentity | None = None
    offers: tuple[ProjectSummary, ...] = ()
    is_keeping_off: bool = False
    keys: UndoKeys | None = None
    _last_target: int = 0

    def __post_init__(self) -> None:
        self.objects.records = self.history.document.table("objects")

    @property
    def history(self) -> History:
        """What was done, and can be undone."""
        return self.project.history

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that belong to the movie: its points and its labels."""
        return (*self.objects.layers, *self.targets)

    @property
    def name(self) -> str:
        """Of the image layer."""
        return "" if self.view is None else str(self.view.layer.name)

    @property
    def limits(self) -> tuple[Limits, ...]:
        """What the network sees as black and white, in each channel of a composite.

        None before that is settled.
        """
        if self.session is None:
            return ()
        return tuple((one.low, one.high) for one in self.session.movie.limits)

    @property
    def contrast(self) -> Limits | None:
        """The same of a movie alone; None of a composite, too."""
        return self.limits[0] if len(self.limits) == 1 else None

    @property
    def shown_now(self) -> tuple[Limits | None, ...]:
        """The contrast limits of the layer, or of that of each channel."""
        if self.view is None:
            return ()
        if not self.channels:
            return (shown_limits(self.view.layer),)
        return tuple(one.shown(self.view) for one in self.channels)

    @property
    def is_contrast_shown(self) -> bool:
        """Whether that is what the layers showed when it was settled."""
        return bool(self.limits) and self.limits == self.shown

    @property
    def new_limits(self) -> tuple[Limits, ...]:
        """Limits of layers that a person has changed since.

        There are none where the contrast was set for the network alone.
        """
        own = self.options.contrast
        if (own is not None and (own,) != self.shown) or not self.limits:
            return ()
        kept = [one.contrast for one in self.channels] or [None]
        every = zip(self.shown_now, self.shown, self.limits, kept, strict=False)
        return tuple(
            now
            for now, before, limits, noted in every
            if now is not None and noted is None and now not in (before, limits)
        )

    @property
    def labels_layer(self) -> Labels | None:
        """The Labels layer for results; None if the next run makes one."""
        return None if self.target is None else self.target.layer

    def verdict(self, object_id: int | None, frame: int) -> ObjectResult | None:
        """Say what runs have found out about an object on a frame of the movie."""
        if self.target is None or object_id is None:
            return None
        return self.target.frames.of(object_id, frame)

    def choose_labels(self, view: MovieView, layer: Labels) -> tuple[str, ...]:
        """Let results go to a Labels layer that is there.

        Parameters
        ----------
        view : MovieView
            The movie.
        layer : napari.layers.Labels
            Of the movie's shape.

        Returns
        -------
        tuple of str
            What the user should know about the layer.

        Raises
        ------
        LabelsError
            If the layer does not fit, or cannot be written to.
        """
        notices = check_target(view, layer, highest_id=1)
        self.report = None
        known = self.targets.get(layer)
        if known is None and layer in self.removed:
            self._return(layer, view)
        elif known is None:
            self.add_target(layer, view)
        else:
            known.view = view
            known.reconsider()
            self.target = known
            self._note_target()
        return notices

    def choose_new_labels(self) -> None:
        """Let results go to a new Labels layer, which the next run makes."""
        self.target = None
        self._note_target()

    def _note_target(self) -> None:
        """Let the project know to which labels results go, also if there are none."""
        number = self._last_target + 1 if self.target is None else self.target.number
        self.history.document.table("options")["target"] = number

    def go_on_with(self, project: Project) -> None:
        """Take another project in place of what was done so far, which is closed.

        Parameters
        ----------
        project : Project
            Of the same movie. Its labels have no layers yet, see `restore_target`.
        """
        self.project.close()
        self.project, self.followed = project, None
        for target in self.targets.values():
            target.close()
        self.targets, self.removed, self.target, self.lost = {}, {}, None, None
        self.report = self.learned = None
        self.objects = ObjectList(project.history.document.table("objects"))
        self.objects.scribbles = project.history.document.rows("scribbles")
        self.previews.unmark_labelled()
        self._last_target = max(project.history.document.table("targets"), default=0)

    def restore_target(
        self, number: int, layer: Labels, view: MovieView
    ) -> TargetLayer:
        """Show labels of a project in a layer.

        Parameters
        ----------
        number : int
            Of the labels in the project.
        layer : napari.layers.Labels
            With their pixels.
        view : MovieView
            The movie.
        """
        is_own = self.history.document.table("targets")[number].is_own
        self.targets[layer] = target = TargetLayer(
            layer,
            view,
            self.history,
            number,
            self._undo_keys,
            is_own=is_own,
            is_recorded=True,
        )
        target.draw(self.objects.look)
        return target

    def draw(self, look: ObjectLook) -> None:
        """Draw labels and prompts of all objects, but for those that are hidden."""
        self.objects.draw(look)
        for target in self.targets.values():
            target.draw(look)

    def note_channels(self) -> None:
        """Let the project know which channels are seen, and with which contrast."""
        options = self.history.document.table("options")
        if self.channels:
            noted = (one.contrast for one in self.channels)
            pairs = zip(self.channels, self.limits or noted, strict=True)
            options[COMPOSITE] = [one.to_values(contrast) for one, contrast in pairs]
        elif COMPOSITE in options:
            del options[COMPOSITE]

    def note_layer_names(self) -> None:
        """Let the project know what its labels are called now."""
        records = self.history.document.table("targets")
        for layer, target in self.targets.items():
            record: TargetRecord = records[target.number]
            records[target.number] = replace(record, name=str(layer.name))

    @property
    def _undo_keys(self) -> UndoKeys:
        return UndoKeys(partial(self._press, "undo"), partial(self._press, "redo"))

    def add_target(
        self, layer: Labels, view: MovieView, *, is_blank: bool = False
    ) -> TargetLayer:
        """Let results go to one more Labels layer from now on.

        Parameters
        ----------
        layer : napari.layers.Labels
            Of the movie's shape.
        view : MovieView
            The movie.
        is_blank : bool, default False
            Whether the layer is new and empty.
        """
        self._last_target += 1
        target = TargetLayer(
            layer,
            view,
            self.history,
            self._last_target,
            self._undo_keys,
            is_own=is_blank,
        )
        self.targets[layer] = self.target = target
        target.draw(self.objects.look)
        self.history.document.table("targets")[target.number] = TargetRecord(
            str(layer.name), view.spatial_shape, str(layer.data.dtype), is_blank
        )
        self._note_target()
        return target

    def _return(self, layer: Labels, view: MovieView) -> None:
        """Let results go to a layer that was removed, with all that is known of it."""
        self.targets[layer] = self.target = target = self.removed.pop(layer)
        target.view = view
        target.reopen(self._undo_keys)
        target.draw(self.objects.look)
        self._note_target()

    def undo(self, breathe: Callable[[], None] = lambda: None) -> tuple[Step, ...]:
        """Take back the last action, and show all as it was before.

        Parameters
        ----------
        breathe : callable
            Called often meanwhile; must not change what was done.

        Returns
        -------
        tuple of Step
            What was taken back, the latest first.

        Raises
        ------
        LabelsError
            If labels that it changed have another shape now.
        """
        self._sync_before(self.history.last_group, breathe)
        return self._shown(self.history.undo(breathe))

    def redo(self, breathe: Callable[[], None] = lambda: None) -> tuple[Step, ...]:
        """Do again what was undone last, and show it.

        Parameters
        ----------
        breathe : callable
            As for `undo`.

        Returns
        -------
        tuple of Step
            What was done again, the earliest first.

        Raises
        ------
        LabelsError
            As for `undo`.
        """
        self._sync_before(self.history.next_group, breathe)
        return self._shown(self.history.redo(breathe))

    def _sync_before(
        self, steps: tuple[Step, ...], breathe: Callable[[], None]
    ) -> None:
        for target in self.targets.values():
            target.sync_before(steps, breathe)

    def _shown(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        numbers = {
            change.target
            for step in steps
            for change in step.changes
            if isinstance(change, LabelsChange)
        }
        for target in self.targets.values():
            if target.number in numbers:
                target.layer.refresh(extent=False)
        if any(step.kind == USE_DECODER for step in steps):
            self._go_back_to_decoder()
        return steps

    def _go_back_to_decoder(self) -> None:
        text = self.history.document.table("options")["decoder"]
        decoder = decoder_of(find_decoder(text, self.project.path))
        self.options = replace(self.options, decoder=decoder)

    def _press(self, key: str) -> None:
        """Do what a key on a layer asks for, through the dock if there is one."""
        own: dict[str, Callable[[], object]] = {"undo": self.undo, "redo": self.redo}
        action = own[key] if self.keys is None else getattr(self.keys, key)
        action()

    def keep_fitting_labels(self, view: MovieView) -> None:
        """Keep the Labels layers that fit another cut of the same image."""
        for layer, target in tuple(self.targets.items()):
            if layer.data.shape == view.spatial_shape:
                target.view = view
            else:
                self.forget_labels(layer)

    def forget_labels(self, layer: Labels) -> None:
        """Forget a layer that no longer fits the movie, or that was removed."""
        target = self.targets.pop(layer, None)
        if target is None:
            return
        target.close()
        self.removed[layer] = target
        if target is self.target:
            self.target, self.lost = None, ref(layer)

    def detach_session(self) -> Session | None:
        """Return the session, and forget it with its embeddings and previews."""
        session, self.session = self.session, None
        self.embedded, self.embedded_windows = set(), frozenset()
        self.embedded_ahead = set()
        self.previews.clear()
        return session


@dataclass(frozen=True, eq=False)
class PendingRun:
    """A propagation that waits for its turn.

    Attributes
    ----------
    state : MovieState
        Of the movie.
    view : MovieView
        The movie as it was when the run was asked for.
    prompts : PromptSet
        Those when it was asked for, or when another movie was chosen.
    request : RunRequest
    cause : Step or None
        What is undone together with it.
    """

    state: MovieState
    view: MovieView
    prompts: PromptSet
    request: RunRequest
    cause: Step | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the plane of the run is the one that is worked on."""
        shown = self.state.view
        return shown is not None and self.view.is_same_as(shown)


class ViewerMovies:
    """The state of all movies of a viewer, whether a dock is open or not.

    Parameters
    ----------
    viewer : ViewerModel
        It is not kept alive.

    Attributes
    ----------
    settings : Settings or None
        How propagation decides on all of them; None for the defaults.
    history_limit : int
        Bytes that undo may take on each of them.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.settings: Settings | None = None
        self.history_limit = DEFAULT_LIMIT
        self._viewer = ref(viewer)
        self._last: ref[Image] | None = None
        self._given: dict[tuple[int, ...], set[int]] = {}

    @staticmethod
    def of(viewer: ViewerModel) -> ViewerMovies:
        """Return the movies of a viewer."""
        return _OF_VIEWERS.setdefault(viewer, ViewerMovies(viewer))

    @property
    def last(self) -> Image | None:
        """The movie that was chosen last, if the viewer still has it."""
        viewer, layer = self._viewer(), self._last and self._last()
        return layer if viewer is not None and layer in viewer.layers else None

    def __iter__(self) -> Iterator[MovieState]:
        """Iterate over the states of all movies that the viewer has."""
        viewer = self._viewer()
        for layer in () if viewer is None else tuple(viewer.layers):
            state = self.find(layer)
            if state is not None:
                yield state

    @staticmethod
    def find(layer: Layer) -> MovieState | None:
        """Return the state of a layer, if it was ever chosen as a movie."""
        state: MovieState | None = getattr(layer, _ATTRIBUTE, None)
        return state

    def on(self, layer: Image, options: ModelOptions) -> MovieState:
        """Return the state of a movie, and remember that it was chosen.

        Parameters
        ----------
        layer : napari.layers.Image
            The layer keeps its state itself: the state refers to the layer, so that a
            dictionary with weak keys would keep both forever.
        options : ModelOptions
            For a movie that was not chosen before.
        """
        self._last = ref(layer)
        state = self.find(layer)
        if state is None:
            state = MovieState(options)
            state.history.limit = self.history_limit
            setattr(layer, _ATTRIBUTE, state)
        return state

    def given_ids(self, view: MovieView) -> set[int]:
        """Return the ids ever given to objects on movies of a shape; may be added to.

        Movies of one shape may share their labels.
        """
        return self._given.setdefault(view.spatial_shape, set())


_OF_VIEWERS: WeakKeyDictionary[ViewerModel, ViewerMovies] = WeakKeyDictionary()
