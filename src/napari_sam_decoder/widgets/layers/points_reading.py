"""Points layers read as prompts, and what is wrong with points that are not used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.formats import is_blank, parse_label
from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.validation import MAX_HYPOTHESIS, MAX_OBJECT_ID
from napari_sam_decoder.widgets.layers.coordinates import WorldMap, unit_factors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari.layers import Points

    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "HYPOTHESIS",
    "LABEL",
    "OBJECT_ID",
    "ObjectPoints",
    "PointFeatures",
    "PointsReading",
    "UsablePoint",
    "UsablePoints",
    "as_object_id",
    "is_on_frame",
    "name_frames",
    "read_points_layers",
    "read_usable_points",
    "unused_notices",
]

LABEL = "label"
OBJECT_ID = "object_id"
HYPOTHESIS = "hypothesis"


@dataclass(frozen=True)
class PointFeatures:
    """The features of N points; None stands for a value that cannot be understood.

    Attributes
    ----------
    labels : list of bool or None
        True on the object, which a point without a label is; False beside it.
    object_ids : list of int or None
        1 or more.
    hypotheses : list of int or None
        1 to 3, or 0 where none was picked.
    """

    labels: list[bool | None]
    object_ids: list[int | None]
    hypotheses: list[int | None]

    @classmethod
    def of(cls, layer: Points, own_id: int) -> PointFeatures:
        """Read the features of a layer.

        Parameters
        ----------
        layer : napari.layers.Points
            Each of the features may be missing.
        own_id : int
            The object of points that name none.
        """
        return cls(
            [parse_label(value) for value in _column(layer, LABEL)],
            [_object_id(value, own_id) for value in _column(layer, OBJECT_ID)],
            [_hypothesis(value) for value in _column(layer, HYPOTHESIS)],
        )


def as_object_id(value: object) -> int | None:
    """Read what a point says of its object; None if it names none that can be."""
    return None if is_blank(value) else _object_id(value, 0)


def _column(layer: Points, name: str) -> list[Any]:
    if name not in layer.features:
        return [None] * len(layer.data)
    values: list[Any] = layer.features[name].tolist()
    return values


def _object_id(value: object, own_id: int) -> int | None:
    if is_blank(value):
        return own_id
    whole = _whole(value)
    return whole if whole is not None and 1 <= whole <= MAX_OBJECT_ID else None


def _hypothesis(value: object) -> int | None:
    if is_blank(value):
        return 0
    whole = _whole(value)
    return whole if whole in range(MAX_HYPOTHESIS + 1) else None


def _whole(value: Any) -> int | None:
    """Read 3, 3.0 or "3"; tables with blanks hold whole numbers as floats."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    is_whole = math.isfinite(number) and number.is_integer()
    return int(number) if is_whole else None


# Positions further than this from a frame were probably not meant for it.
FAR_FROM_FRAME = 0.25
FAR_OUTSIDE = 2**31


@dataclass(frozen=True)
class UsablePoint:
    """A point that can be used.

    Attributes
    ----------
    object_id, frame : int
    position : (row, column)
        In data pixels of the movie.
    is_positive : bool
    hypothesis : int
        1 to 3, or 0 where none is picked.
    """

    object_id: int
    frame: int
    position: tuple[float, float]
    is_positive: bool
    hypothesis: int


@dataclass(frozen=True)
class UsablePoints:
    """A points layer without the points that cannot be used.

    Attributes
    ----------
    layer : napari.layers.Points
    object_ids : tuple of int
        All objects that its points name, or the layer's own.
    clicks : tuple of Click
        In the order of the layer.
    notices : tuple of str
        What is wrong with the other points.
    """

    layer: Points
    object_ids: tuple[int, ...]
    clicks: tuple[UsablePoint, ...] = ()
    notices: tuple[str, ...] = ()

    def name_of(self, object_id: int) -> str:
        """Name one of the objects after the layer."""
        name = str(self.layer.name)
        return f"{name} #{object_id}" if len(self.object_ids) > 1 else name


@dataclass(frozen=True, eq=False)
class _Placed:
    """Where N points lie on a movie.

    Points without a finite position are put at 0, so that they can be rounded.
    """

    is_finite: np.ndarray
    is_on_planes: np.ndarray
    depths: np.ndarray
    positions: np.ndarray

    @classmethod
    def on(cls, view: MovieView, layer: Points) -> _Placed:
        found = _located(view, layer)
        is_finite = np.isfinite(found).all(axis=1)
        found[~is_finite] = 0
        cuts = [axis for axis, _ in view.fixed]
        planes = [index for _, index in view.fixed]
        in_movie = view.along_movie(found)
        return cls(
            is_finite=is_finite,
            is_on_planes=(np.rint(found[:, cuts]) == planes).all(axis=1) | ~is_finite,
            depths=in_movie[:, 0],
            positions=in_movie[:, 1:],
        )

    @property
    def frames(self) -> np.ndarray:
        """The nearest frame of each point, maybe outside the movie."""
        # Far outside is as good as outside, and fits an integer.
        depths = np.clip(self.depths, -1, FAR_OUTSIDE)
        frames: np.ndarray = np.rint(depths).astype(np.int64)
        return frames


@dataclass(frozen=True, eq=False)
class _Fault:
    """Something that is wrong with some of the points, worded for one and for many."""

    is_at: np.ndarray
    one: str
    many: str

    def notices(self, layer: Points, is_considered: np.ndarray) -> list[str]:
        count = np.count_nonzero(self.is_at & is_considered)
        if count == 0:
            return []
        points, predicate = ("point", self.one) if count == 1 else ("points", self.many)
        return [f"{count} {points} of '{layer.name}' {predicate}"]


def read_usable_points(view: MovieView, layer: Points, own_id: int) -> UsablePoints:
    """Read a points layer, leaving out the points that cannot be used.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Points
        Its features are described at `read_points_layers`.
    own_id : int
        The object of points that name none.
    """
    ndim = len(view.spatial_shape)
    if layer.ndim < ndim:
        return UsablePoints(layer, (own_id,), notices=(_too_flat(layer, ndim),))
    features = PointFeatures.of(layer, own_id)
    placed = _Placed.on(view, layer)
    is_usable = placed.is_on_planes.copy()
    notices: list[str] = []
    for fault in (*_position_faults(view, placed), *_feature_faults(features)):
        notices += fault.notices(layer, is_usable)
        is_usable &= ~fault.is_at
    for oddity in _oddities(placed, features):
        notices += oddity.notices(layer, is_usable)
    named = {object_id for object_id in features.object_ids if object_id is not None}
    return UsablePoints(
        layer,
        tuple(sorted(named)) or (own_id,),
        tuple(_clicks(placed, features, np.flatnonzero(is_usable))),
        tuple(notices),
    )


def is_on_frame(
    view: MovieView, layer: Points, own_id: int, place: tuple[int, int]
) -> np.ndarray:
    """Find the points of one object on one frame.

    Parameters
    ----------
    view : MovieView
        The movie.
    layer : napari.layers.Points
        Its features are described at `read_points_layers`.
    own_id : int
        The object of points that name none.
    place : (int, int)
        Object id and frame.

    Returns
    -------
    (N,) array of bool
        Nowhere true if the layer has fewer axes than the image.
    """
    if layer.ndim < len(view.spatial_shape):
        return np.zeros(len(layer.data), dtype=bool)
    object_id, frame = place
    placed = _Placed.on(view, layer)
    named = PointFeatures.of(layer, own_id).object_ids
    is_named = np.array([other == object_id for other in named], dtype=bool)
    found: np.ndarray = (
        is_named & placed.is_finite & placed.is_on_planes & (placed.frames == frame)
    )
    return found


def _located(view: MovieView, layer: Points) -> np.ndarray:
    """Positions along every data axis of the image: (N, D)."""
    world = WorldMap.of(layer).to_world(np.asarray(layer.data, dtype=float))
    factors = unit_factors(layer.units, view.layer.units)
    return view.locate_data(world[:, -len(factors) :] * factors)


def _position_faults(view: MovieView, placed: _Placed) -> Iterator[_Fault]:
    yield _Fault(
        ~placed.is_finite,
        "has no finite position and is not used",
        "have no finite positions and are not used",
    )
    yield _Fault(
        (placed.frames < 0) | (placed.frames >= len(view)),
        "is on a frame outside the movie and is not used",
        "are on frames outside the movie and are not used",
    )
    highest = np.array(view.frame_shape) - 0.5
    yield _Fault(
        np.any((placed.positions < -0.5) | (placed.positions > highest), axis=1),
        "lies outside the picture and is not used",
        "lie outside the picture and are not used",
    )


def _feature_faults(features: PointFeatures) -> Iterator[_Fault]:
    signs = "use positive or negative, foreground or background, true or false, 1 or 0"
    yield _Fault(
        _is_none(features.labels),
        f"has a label that is not understood and is not used; {signs}",
        f"have labels that are not understood and are not used; {signs}",
    )
    yield _Fault(
        _is_none(features.object_ids),
        f"has an object_id that is no whole number from 1 to {MAX_OBJECT_ID} and is "
        "not used; correct it",
        f"have object_ids that are no whole numbers from 1 to {MAX_OBJECT_ID} and are "
        "not used; correct them",
    )


def _oddities(placed: _Placed, features: PointFeatures) -> Iterator[_Fault]:
    """Yield what is wrong with points that are used nevertheless."""
    yield _Fault(
        np.abs(placed.depths - placed.frames) > FAR_FROM_FRAME,
        "lies between two frames and is used on the nearest",
        "lie between two frames and are used on the nearest",
    )
    picks = "the mask is chosen automatically; use 1, 2, 3, or 0 for automatic"
    yield _Fault(
        _is_none(features.hypotheses),
        f"has a hypothesis that is not understood, so {picks}",
        f"have hypotheses that are not understood, so {picks}",
    )


def _is_none(values: Sequence[object]) -> np.ndarray:
    return np.array([value is None for value in values], dtype=bool)


def _clicks(
    placed: _Placed, features: PointFeatures, rows: np.ndarray
) -> Iterator[UsablePoint]:
    for row in rows:
        yield UsablePoint(
            # Usable points have an id; the type checker cannot know.
            object_id=features.object_ids[row] or 0,
            frame=int(placed.frames[row]),
            position=(float(placed.positions[row, 0]), float(placed.positions[row, 1])),
            is_positive=bool(features.labels[row]),
            hypothesis=features.hypotheses[row] or 0,
        )


def _too_flat(layer: Points, ndim: int) -> str:
    return (
        f"the points of '{layer.name}' have {layer.ndim} dimensions and cannot be "
        f"placed in a picture of {ndim}; press New object, or make a points layer of "
        f"{ndim} dimensions"
    )


LISTED_FRAMES = 3


@dataclass(frozen=True)
class ObjectPoints:
    """The points of one object.

    Attributes
    ----------
    object_id : int
    layer : napari.layers.Points
        The first layer that has points of the object, or is meant for them.
    name : str
        Of that layer, with the object's id where the layer has several.
    frames : tuple of int
        The frames with points that are used, ascending.
    count : int
        Number of points that are used.
    """

    object_id: int
    layer: Points
    name: str
    frames: tuple[int, ...]
    count: int


@dataclass(frozen=True)
class PointsReading:
    """The prompts that some points layers give on a movie.

    Attributes
    ----------
    prompts : PromptSet
        Those with a positive point.
    negatives : PromptSet
        Negative points alone on their frame. They can only correct existing labels.
    notices : tuple of str
        Which points cannot be used, and what to do about it.
    objects : tuple of ObjectPoints
        Every object, in the order of the layers, including layers without points.
    """

    prompts: PromptSet
    negatives: PromptSet
    notices: tuple[str, ...]
    objects: tuple[ObjectPoints, ...]


def read_points_layers(view: MovieView, layers: Mapping[Points, int]) -> PointsReading:
    """Read the points of some layers as prompts.

    Parameters
    ----------
    view : MovieView
        The movie that the points lie on.
    layers : mapping of napari.layers.Points to int
        In order, with the object id of points that have no feature ``object_id``.

    Returns
    -------
    PointsReading

    Notes
    -----
    The feature ``label`` says whether a point is on its object, in the words that
    `napari_sam_decoder.read_points` knows; ``hypothesis`` picks a mask, and where
    points of one object and frame pick different ones, the later wins. Points between
    two frames count for the nearest. Points on other planes of a layer with more than
    three axes are not on this movie and are passed over.
    """
    sifted = [
        read_usable_points(view, layer, own_id) for layer, own_id in layers.items()
    ]
    clicks = chain.from_iterable(layer.clicks for layer in sifted)
    found = PromptSet(_prompt(click) for click in clicks)
    prompts = PromptSet(prompt for prompt in found if prompt.is_positive)
    negatives = PromptSet(prompt for prompt in found if not prompt.is_positive)
    notices = tuple(chain.from_iterable(layer.notices for layer in sifted))
    return PointsReading(prompts, negatives, notices, tuple(_objects(sifted, prompts)))


def unused_notices(negatives: Iterable[Prompt]) -> tuple[str, ...]:
    """Say which objects have frames with negative points that are not used.

    Parameters
    ----------
    negatives : iterable of Prompt
        Of negative points alone, on frames without labels to correct.

    Returns
    -------
    tuple of str
        One notice per object.
    """
    frames: dict[int, list[int]] = {}
    for prompt in negatives:
        frames.setdefault(prompt.object_id, []).append(prompt.frame)
    return tuple(
        f"object {object_id} has only negative points on "
        f"{name_frames(sorted(frames[object_id]))}, which are not used; add a positive "
        "point there"
        for object_id in sorted(frames)
    )


def _prompt(click: UsablePoint) -> Prompt:
    return Prompt(
        click.object_id,
        click.frame,
        points=[click.position],
        signs=[click.is_positive],
        hypothesis=click.hypothesis or None,
    )


def name_frames(frames: Sequence[int]) -> str:
    """Name the first few of some frames, such as "frame 3, 4, 5 and 2 more"."""
    named = ", ".join(str(frame) for frame in frames[:LISTED_FRAMES])
    more = len(frames) - LISTED_FRAMES
    return f"frame {named}" + (f" and {more} more" if more > 0 else "")


def _objects(
    layers: Iterable[UsablePoints], prompts: PromptSet
) -> Iterator[ObjectPoints]:
    first: dict[int, UsablePoints] = {}
    for layer in layers:
        for object_id in layer.object_ids:
            first.setdefault(object_id, layer)
    for object_id, layer in first.items():
        used = prompts.of_object(object_id)
        yield ObjectPoints(
            object_id,
            layer.layer,
            layer.name_of(object_id),
            frames=tuple(prompt.frame for prompt in used),
            count=sum(len(prompt.points) for prompt in used),
        )
