"""Points layers read as prompts on a movie."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from napari_sam_decoder.prompts import Prompt, PromptSet
from napari_sam_decoder.widgets.layers.sifting import Click, SiftedLayer, sift

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari.layers import Points

    from napari_sam_decoder.widgets.layers.view import MovieView

__all__ = [
    "ObjectPoints",
    "PointsReading",
    "name_frames",
    "read_points_layers",
    "unused_notices",
]

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
    """What some points layers say about a movie.

    Attributes
    ----------
    prompts : PromptSet
        All that says where an object is.
    negatives : PromptSet
        Points beside an object on frames without one on it. They can only correct
        what is there.
    notices : tuple of str
        Which points cannot be used, and what to do about it.
    objects : tuple of ObjectPoints
        Every object, also of layers without points, in the order of the layers.
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
    sifted = [sift(view, layer, own_id) for layer, own_id in layers.items()]
    clicks = chain.from_iterable(layer.clicks for layer in sifted)
    found = PromptSet(_prompt(click) for click in clicks)
    prompts = PromptSet(prompt for prompt in found if prompt.is_positive)
    negatives = PromptSet(prompt for prompt in found if not prompt.is_positive)
    notices = tuple(chain.from_iterable(layer.notices for layer in sifted))
    return PointsReading(prompts, negatives, notices, tuple(_objects(sifted, prompts)))


def unused_notices(negatives: Iterable[Prompt]) -> tuple[str, ...]:
    """Tell which objects have frames with points beside them that serve nothing.

    Parameters
    ----------
    negatives : iterable of Prompt
        Of negative points alone, where there is nothing that they could correct.

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


def _prompt(click: Click) -> Prompt:
    return Prompt(
        click.object_id,
        click.frame,
        points=[click.position],
        labels=[click.is_positive],
        hypothesis=click.hypothesis or None,
    )


def name_frames(frames: Sequence[int]) -> str:
    """Name the first few of some frames, such as "frame 3, 4, 5 and 2 more"."""
    named = ", ".join(str(frame) for frame in frames[:LISTED_FRAMES])
    more = len(frames) - LISTED_FRAMES
    return f"frame {named}" + (f" and {more} more" if more > 0 else "")


def _objects(
    layers: Iterable[SiftedLayer], prompts: PromptSet
) -> Iterator[ObjectPoints]:
    first: dict[int, SiftedLayer] = {}
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
