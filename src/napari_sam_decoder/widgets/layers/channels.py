"""Image layers, or channels of one, as the colours that the network sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

import numpy as np
from napari.layers import Image

from napari_sam_decoder.errors import MovieError
from napari_sam_decoder.frames import Contrast
from napari_sam_decoder.frames.composite import MOST_CHANNELS
from napari_sam_decoder.widgets.layers.movie_view import shown_limits, spatial_shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from napari.layers import Layer

    from napari_sam_decoder.widgets.layers.movie_view import Limits, MovieView

__all__ = ["Channel", "channels_of", "chosen_channels"]


@dataclass(frozen=True, eq=False)
class Channel:
    """An image layer, or an entry along an axis of the movie, as a colour.

    Attributes
    ----------
    noted : str or None
        Name of the layer, as long as it has not been found; None for the movie itself.
    cut : (int, int), optional
        Data axis of the movie that holds channels, and the number of one.
    contrast : (float, float), optional
        Intensities shown as black and white; None to find out.
    held : weakref.ref, optional
        To the layer, once it has been found. It may be renamed.
    """

    noted: str | None
    cut: tuple[int, int] | None = None
    contrast: Limits | None = None
    held: ref[Image] | None = None

    @property
    def layer(self) -> Image | None:
        """The layer, if it has been found and still exists; None for the movie."""
        return None if self.held is None else self.held()

    @property
    def name(self) -> str | None:
        """Name of the layer now; None for the movie itself."""
        layer = self.layer
        return self.noted if layer is None else str(layer.name)

    def title(self, movie: MovieView) -> str:
        """Return what people call it."""
        if self.cut is not None:
            return f"channel {self.cut[1]}"
        return str(movie.layer.name) if self.name is None else self.name

    def is_same_as(self, other: Channel) -> bool:
        """Whether both are the same pixels of the same movie."""
        return (self.name, self.cut) == (other.name, other.cut)

    def found(self, movie: MovieView, layers: Iterable[Layer]) -> Image | None:
        """Find its layer: the one that it was, else one of the same name."""
        if self.name is None:
            return movie.layer
        images = [layer for layer in layers if isinstance(layer, Image)]
        own = [layer for layer in images if layer is self.layer]
        named = [layer for layer in images if layer.name == self.name]
        return next(iter([*own, *named]), None)

    def bound(self, movie: MovieView, layers: Iterable[Layer]) -> Self:
        """Hold on to its layer, if there is one."""
        layer = None if self.name is None else self.found(movie, layers)
        return self if layer is None else replace(self, held=ref(layer))

    def view(self, movie: MovieView, layers: Iterable[Layer]) -> MovieView:
        """Return its pixels, as frames of the movie.

        Raises
        ------
        MovieError
            If it is not there, or does not fit the movie any more.
        """
        layer = self.found(movie, layers)
        if layer is None:
            raise MovieError(
                f"the layer {self.name!r}, which is a colour of the composite of "
                f"{movie.layer.name!r}, is not among the layers; open it, or choose "
                "other colours under 'Movie or volume'"
            )
        if layer is movie.layer:
            return movie if self.cut is None else movie.cut_at(*self.cut)
        if layer.rgb or spatial_shape(layer) != movie.spatial_shape:
            raise MovieError(
                f"{layer.name!r} of shape {tuple(layer.data.shape)} does not fit "
                f"{movie.layer.name!r}, of whose composite it is a colour; choose "
                "other colours under 'Movie or volume'"
            )
        return movie.on(layer)

    def shown(self, movie: MovieView) -> Limits | None:
        """Return the contrast limits of its layer; None if they mean nothing.

        Those of a layer with several channels are not meant for one of them.
        """
        layer = movie.layer if self.name is None else self.layer
        return None if layer is None or self.cut is not None else shown_limits(layer)

    def to_values(self, contrast: Limits | None) -> dict[str, Any]:
        """Return plain values, for a project; the contrast is that in use."""
        return {
            "layer": self.name,
            "cut": None if self.cut is None else list(self.cut),
            "contrast": None if contrast is None else list(contrast),
        }

    @classmethod
    def of_values(cls, values: Mapping[str, Any]) -> Self:
        """Restore it from plain values.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they are something else.
        """
        name, cut, contrast = values["layer"], values["cut"], values["contrast"]
        limits = None if contrast is None else Contrast.of(contrast)
        return cls(
            None if name is None else str(name),
            None if cut is None else (int(cut[0]), int(cut[1])),
            None if limits is None else (limits.low, limits.high),
        )


def channels_of(movie: MovieView, layers: Iterable[Layer]) -> tuple[Channel, ...]:
    """List what can be a colour of a movie.

    Parameters
    ----------
    movie : MovieView
        What is worked on.
    layers : iterable of napari.layers.Layer
        Of the viewer.

    Returns
    -------
    tuple of Channel
        The entries along its axes of channels, if it has any; else the grey image
        layers of the same shape at the same place. Fewer than two are of no use.
    """
    if movie.layer.rgb:
        return ()
    axes = movie.channel_axes
    if axes:
        return tuple(
            Channel(None, (axis.index, number))
            for axis in axes
            for number in range(axis.length)
        )
    return tuple(_layers_like(movie, layers))


def _layers_like(movie: MovieView, layers: Iterable[Layer]) -> Iterator[Channel]:
    for layer in layers:
        if layer is movie.layer:
            yield Channel(None)
        elif isinstance(layer, Image) and _lies_on(layer, movie):
            yield Channel(str(layer.name), held=ref(layer))


def _lies_on(layer: Image, movie: MovieView) -> bool:
    is_alike = not layer.rgb and spatial_shape(layer) == movie.spatial_shape
    places = layer.extent.world, movie.layer.extent.world
    return is_alike and bool(np.allclose(*places, equal_nan=True))


def chosen_channels(
    wanted: Sequence[Channel | Image | str],
    movie: MovieView,
    layers: Iterable[Layer],
) -> tuple[Channel, ...]:
    """Find the channels that were asked for.

    Parameters
    ----------
    wanted : sequence of Channel, napari.layers.Image or str
        Red, green and perhaps blue; a text is the name of a layer, or "channel 0". None
        to see the movie alone.
    movie : MovieView
        What is worked on.
    layers : iterable of napari.layers.Layer
        Of the viewer.

    Raises
    ------
    MovieError
        If there are not two or three different ones that fit the movie.
    """
    offered = channels_of(movie, layers)
    found = tuple(_chosen(one, offered, movie) for one in wanted)
    if found and not 2 <= len(found) <= MOST_CHANNELS:
        raise MovieError(
            f"a composite has two or three channels, not {len(found)}; they become "
            "red, green and blue in this order"
        )
    for place, one in enumerate(found):
        if any(one.is_same_as(other) for other in found[:place]):
            raise MovieError(f"{one.title(movie)!r} is given twice; give it once")
    return found


def _chosen(
    wanted: Channel | Image | str, offered: Sequence[Channel], movie: MovieView
) -> Channel:
    for one in offered:
        if isinstance(wanted, Channel):
            is_meant = one.is_same_as(wanted)
        elif isinstance(wanted, str):
            is_meant = one.title(movie) == wanted
        else:
            is_meant = (one.layer or movie.layer) is wanted and one.cut is None
        if is_meant:
            return one
    known = ", ".join(repr(one.title(movie)) for one in offered) or "none"
    asked = wanted.title(movie) if isinstance(wanted, Channel) else str(wanted)
    raise MovieError(
        f"{asked!r} cannot be a colour of {movie.layer.name!r}; choose among {known}: "
        "grey layers of its shape at its place, or its channels"
    )
