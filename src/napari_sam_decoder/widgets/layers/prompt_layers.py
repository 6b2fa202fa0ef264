"""Layers of prompts: one of points and one of boxes, for all objects of a movie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from napari.layers import Points, Shapes

from napari_sam_decoder.formats import is_blank, parse_label
from napari_sam_decoder.project import PointRow, ShapeRow
from napari_sam_decoder.validation import MAX_HYPOTHESIS, MAX_OBJECT_ID
from napari_sam_decoder.widgets.colours import (
    LIGHT,
    WARNING_RED,
    object_colours,
    rim_colours,
)
from napari_sam_decoder.widgets.layers.coordinates import (
    WorldMap,
    is_placed_like,
    placement,
    unit_factors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from napari.layers import Image

    from napari_sam_decoder.widgets.layers.movie_view import MovieView

__all__ = [
    "BOXES_NAME",
    "MARKER_PIXELS",
    "POINTS_NAME",
    "LayerRows",
    "PromptLayer",
    "deselect_drawn",
    "fit_to_screen",
    "hide_prompts",
    "is_mere_click",
    "new_boxes_layer",
    "new_points_layer",
    "next_sign",
    "note_sides",
    "rows_of",
    "selected_objects",
    "set_next",
    "show_rows",
    "tidy",
]

# Quoted: where there is no napari, the documentation stands in for its classes.
PromptLayer: TypeAlias = "Points | Shapes"
POINTS_NAME, BOXES_NAME = "SAM points", "SAM boxes"
LABEL, OBJECT_ID, HYPOTHESIS = FEATURES = "label", "object_id", "hypothesis"
POSITIVE, NEGATIVE = "positive", "negative"
MARKER_PIXELS = 8
"""Diameter of a point on the screen; the smallest cells are hardly larger."""
SMALLEST_MARKER_PIXELS = 4
MARKER_SHARE = 1 / 3
"""How much of the side of a small object its points may hide."""
REACH = 1.2
"""Size of a point for the mouse, relative to what is drawn."""
# Below its lower limit vispy draws a point as a border without a middle, and does so by
# chance for a size that is the limit, so points are kept above the upper one.
SIZE_LIMITS = (MARKER_PIXELS / 3, MARKER_PIXELS)
NOTICEABLE = 0.15
PIXEL = "screen pixel"
"""In the metadata of a layer: side of a pixel of the screen, in data pixels."""
SIDES = "sides of objects"
"""In the metadata of a layer: how small objects are, in data pixels, as it is known."""
HIDDEN, BACKGROUND = "hidden objects", "background objects"
"""In the metadata of a layer: what is not drawn, and what is drawn in grey."""
EDGE_PIXELS = 2
SMALLEST_BOX_PIXELS = 4
DRAGGED = ("add_rectangle", "add_ellipse", "add_line")
BORDER_WIDTH = 0.2
SYMBOLS = {True: "disc", False: "x"}
ODD_COLOUR = (0.5, 0.5, 0.5, 1)
NO_FILL = (0.0, 0, 0, 0)


@dataclass(frozen=True)
class LayerRows:
    """What a layer holds.

    Attributes
    ----------
    rows : tuple of PointRow or ShapeRow
        In the order of the layer.
    notices : tuple of str
        Which points or shapes have values that are not understood. Those without an
        object, a sign or a place are not among the rows.
    is_understood : (N,) array of bool
        Which points or shapes of the layer the rows stand for.
    """

    rows: tuple[Any, ...]
    notices: tuple[str, ...]
    is_understood: np.ndarray


def new_points_layer(view: MovieView) -> Points:
    """Make an empty layer for the points of all objects of a movie.

    Parameters
    ----------
    view : MovieView
        The movie; the layer lies where its image lies.

    Returns
    -------
    napari.layers.Points
        With the features ``label``, ``object_id`` and ``hypothesis``. Points have the
        same size on the screen at every zoom; see `fit_to_screen` for where a mouse
        finds them.
    """
    return Points(
        np.empty((0, len(view.spatial_shape))),
        name=POINTS_NAME,
        features=_no_features(),
        feature_defaults=_defaults(None, is_positive=True),
        face_color=np.array([ODD_COLOUR]),
        border_color=np.array([LIGHT]),
        border_width=BORDER_WIDTH,
        symbol=SYMBOLS[True],
        size=1,
        canvas_size_limits=SIZE_LIMITS,
        **placement(view.layer),
    )


def new_boxes_layer(view: MovieView) -> Shapes:
    """Make an empty layer for the boxes of all objects of a movie.

    Parameters
    ----------
    view : MovieView
        The movie; the layer lies where its image lies.

    Returns
    -------
    napari.layers.Shapes
        With the features of `new_points_layer`, in outlines without a fill.
    """
    return Shapes(
        None,
        ndim=len(view.spatial_shape),
        name=BOXES_NAME,
        features=_no_features(),
        feature_defaults=_defaults(None, is_positive=True),
        edge_color=np.array(ODD_COLOUR),
        face_color=np.array(NO_FILL),
        **placement(view.layer),
    )


def rows_of(layer: PromptLayer, image: Image, own_id: int | None = None) -> LayerRows:
    """Read all points or shapes of a layer.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Each of the features may be missing: what has no label is positive, and without
        ``hypothesis`` no mask is picked.
    image : napari.layers.Image
        In whose data pixels the rows are; the layer may lie elsewhere.
    own_id : int, optional
        The object of points that name none; without it they are not understood.

    Returns
    -------
    LayerRows
        Without a shape that is still being drawn.
    """
    places = _places(layer, image)
    features = _Features.of(layer, len(places), own_id)
    is_finite = np.array([np.isfinite(place).all() for place in places], dtype=bool)
    notices: list[str] = []
    is_understood = np.ones(len(places), dtype=bool)
    for fault in (_no_place(is_finite), *_feature_faults(features)):
        notices += fault.notices(layer, is_understood)
        is_understood &= ~fault.is_at
    notices += _odd_picks(features).notices(layer, is_understood)
    chosen = np.flatnonzero(is_understood).tolist()
    rows = tuple(_row(layer, places, features, place) for place in chosen)
    if len(places) and places[0].shape[-1] < image.ndim:
        return LayerRows((), (_too_flat(layer, image.ndim),), ~is_understood)
    return LayerRows(rows, tuple(notices), is_understood)


def show_rows(layer: PromptLayer, image: Image, rows: Sequence[Any]) -> None:
    """Replace all points or shapes of a layer, except those that are not understood.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Keeps its mode, what is added next, and of points what is left of the selection.
    image : napari.layers.Image
        In whose data pixels the rows are.
    rows : sequence of PointRow or ShapeRow
        In the order in which `rows_of` will return them.
    """
    before = rows_of(layer, image)
    if before.rows == tuple(rows):
        return
    defaults = _next_values(layer)
    selected = _selected_rows(layer, before)
    odd = np.flatnonzero(~before.is_understood).tolist()
    features = _typed(_columns(rows, layer.features.iloc[odd]))
    layer.selected_data = set()
    if isinstance(layer, Points):
        _place_points(layer, image, rows, odd)
    else:
        _place_shapes(layer, image, rows, odd)
    layer.features = features
    _set_next_values(layer, defaults)
    tidy(layer)
    if isinstance(layer, Points):
        # napari 0.6 cannot select shapes on frames that are not shown.
        places = {place for place, row in enumerate(rows) if row in selected}
        layer.selected_data = places
        _set_next_values(layer, defaults)


def tidy(layer: PromptLayer) -> None:
    """Spell the features of a layer in one way, and draw each row accordingly.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin. Values that are not understood stay as they are.
    """
    features = _Features.of(layer, _count(layer), None)
    signs = [sign if sign is None else _word(sign) for sign in features.signs]
    wanted: dict[str, list[Any]] = {
        LABEL: [*signs],
        OBJECT_ID: [*features.object_ids],
        HYPOTHESIS: [*features.hypotheses],
    }
    columns = {name: _spelled(layer, name, values) for name, values in wanted.items()}
    if any(_differs(layer, name, values) for name, values in columns.items()):
        defaults = _next_values(layer)
        layer.features = layer.features.assign(**_typed(columns))
        _set_next_values(layer, defaults)
    _draw(layer, features)


def set_next(
    layer: PromptLayer,
    object_id: int | None,
    *,
    is_positive: bool,
    is_tidy: bool = False,
) -> None:
    """Say what the points or shapes that are drawn from now on belong to.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin. What it holds, selected or not, stays as it is.
    object_id : int or None
        None where there is no object: points are not understood then.
    is_positive : bool
        True on the object, False beside it.
    is_tidy : bool, default False
        Whether the layer was just tidied, which takes long with thousands of points.
    """
    if not is_tidy:
        # A column of a script may not hold what is set.
        tidy(layer)
    _set_next_values(layer, _defaults(object_id, is_positive=is_positive))
    colour = _colours(layer, [object_id])[0]
    with layer.block_update_properties():
        if isinstance(layer, Shapes):
            _set_colour(layer, "current_edge_color", colour)
            return
        faces, borders = _marker_colours(colour[np.newaxis], [is_positive])
        _set_colour(layer, "current_face_color", faces[0])
        _set_colour(layer, "current_border_color", borders[0])
        layer.current_symbol = SYMBOLS[is_positive]
        layer.current_size = _size(layer, object_id)


def next_sign(layer: PromptLayer) -> bool:
    """Whether the point that is added next is positive."""
    if LABEL not in layer.feature_defaults:
        return True
    return bool(parse_label(layer.feature_defaults[LABEL].iloc[0]))


def selected_objects(layer: PromptLayer) -> frozenset[int]:
    """Return the objects of which points or shapes are selected."""
    if OBJECT_ID not in layer.features:
        return frozenset()
    selected = [place for place in layer.selected_data if place < len(layer.features)]
    named = layer.features[OBJECT_ID].iloc[selected].tolist()
    return frozenset(one for one in map(_object_id, named) if one is not None)


def note_sides(layer: Points, sides: Mapping[int, float]) -> None:
    """Draw points of small objects smaller, so that these can be seen.

    Parameters
    ----------
    layer : napari.layers.Points
        Of the plugin.
    sides : mapping of object id to float
        The shorter side of each object in data pixels, as far as it is known; what was
        known of others stays.
    """
    known = layer.metadata.setdefault(SIDES, {})
    if any(known.get(one) != side for one, side in sides.items()):
        known.update(sides)
        _draw_size(layer)


def hide_prompts(
    layer: PromptLayer,
    hidden: frozenset[int],
    background: frozenset[int] = frozenset(),
) -> None:
    """Do not draw what belongs to some objects, and draw all else.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin. What is hidden is not selected any more.
    hidden : frozenset of int
        All that are hidden from now on.
    background : frozenset of int
        Background objects, drawn in grey.
    """
    looks = {HIDDEN: hidden, BACKGROUND: background}
    if all(layer.metadata.get(name, frozenset()) == looks[name] for name in looks):
        return
    layer.metadata.update(looks)
    if selected_objects(layer) & hidden:
        layer.selected_data = set()
    tidy(layer)


def fit_to_screen(layer: PromptLayer, pixel: float) -> None:
    """Keep what is drawn at one size on the screen.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin. Points are drawn at one size in any case; this is where the mouse
        finds them.
    pixel : float
        Side of a pixel of the screen, in data pixels of the layer.
    """
    now = layer.metadata.get(PIXEL)
    if now is None or abs(pixel / now - 1) > NOTICEABLE:
        layer.metadata[PIXEL] = pixel
        size = _size(layer, _object_id(_next_values(layer)[OBJECT_ID]))
        with layer.block_update_properties():
            if isinstance(layer, Points):
                layer.current_size = size
            else:
                layer.current_edge_width = size
        _draw_size(layer)


def _next_values(layer: PromptLayer) -> dict[str, Any]:
    """The features of what is added next."""
    defaults = layer.feature_defaults
    found = {str(name): defaults[name].iloc[0] for name in defaults}
    return {**_defaults(None, is_positive=True), **found}


def _set_next_values(layer: PromptLayer, values: Mapping[str, Any]) -> None:
    """Set features of what is added next; napari asks for all that the layer has."""
    now = _next_values(layer)
    wanted = {str(name): values.get(name, now.get(name)) for name in layer.features}
    # Setting them draws the layer again.
    if any(now[name] != value for name, value in wanted.items()):
        layer.feature_defaults = {name: [value] for name, value in wanted.items()}


def _typed(columns: Mapping[str, Sequence[Any]]) -> dict[str, np.ndarray]:
    """Make columns whose types do not depend on whether they hold anything."""
    kinds: dict[str, tuple[type, Any]] = {
        LABEL: (str, str),
        OBJECT_ID: (int, np.int64),
        HYPOTHESIS: (int, np.int64),
    }
    typed = {}
    for name, values in columns.items():
        kind, dtype = kinds[name]
        is_plain = all(type(value) is kind for value in values)
        typed[name] = np.array(values, dtype=dtype if is_plain else object)
    return typed


def is_mere_click(layer: PromptLayer, rows: Sequence[Any]) -> bool:
    """Whether a box was clicked, not dragged: napari draws one of some pixels for it.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin.
    rows : sequence of PointRow or ShapeRow
        What was added last, if anything.
    """
    if not isinstance(layer, Shapes) or layer.mode != "add_rectangle" or not rows:
        return False
    smallest = SMALLEST_BOX_PIXELS * layer.metadata.get(PIXEL, 0)
    return bool(np.ptp(rows[-1].vertices, axis=0).max() < smallest)


def deselect_drawn(layer: PromptLayer) -> None:
    """Deselect a shape once it is drawn: its vertices would hide what is small.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        Of the plugin. Nothing happens while the mouse does not draw shapes.
    """
    if not isinstance(layer, Shapes) or not str(layer.mode).startswith("add_"):
        return
    if layer.selected_data and not _is_drawing(layer):
        layer.selected_data = set()


def _no_features() -> dict[str, np.ndarray]:
    return {
        LABEL: np.array([], dtype=str),
        OBJECT_ID: np.array([], dtype=np.int64),
        HYPOTHESIS: np.array([], dtype=np.int64),
    }


def _defaults(object_id: int | None, *, is_positive: bool) -> dict[str, Any]:
    return {
        LABEL: _word(is_positive),
        OBJECT_ID: object_id or 0,
        HYPOTHESIS: 0,
    }


def _word(is_positive: bool) -> str:
    return POSITIVE if is_positive else NEGATIVE


# Reading


@dataclass(frozen=True)
class _Features:
    """The features of N rows; None stands for a value that cannot be understood."""

    signs: list[bool | None]
    object_ids: list[int | None]
    hypotheses: list[int | None]

    @classmethod
    def of(cls, layer: PromptLayer, count: int, own_id: int | None) -> _Features:
        return cls(
            [parse_label(value) for value in _column(layer, LABEL, count)],
            [
                own_id if is_blank(value) else _object_id(value)
                for value in _column(layer, OBJECT_ID, count)
            ],
            [_hypothesis(value) for value in _column(layer, HYPOTHESIS, count)],
        )


def _column(layer: PromptLayer, name: str, count: int) -> list[Any]:
    if name not in layer.features:
        return [None] * count
    values: list[Any] = layer.features[name].tolist()
    return values[:count]


def _object_id(value: object) -> int | None:
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


@dataclass(frozen=True, eq=False)
class _Fault:
    """Something that is wrong with some rows, worded for one and for many."""

    is_at: np.ndarray
    one: str
    many: str

    def notices(self, layer: PromptLayer, is_meant: np.ndarray) -> list[str]:
        count = np.count_nonzero(self.is_at & is_meant)
        if count == 0:
            return []
        noun = "point" if isinstance(layer, Points) else "shape"
        words = (noun, self.one) if count == 1 else (f"{noun}s", self.many)
        return [f"{count} {words[0]} of '{layer.name}' {words[1]}"]


def _no_place(is_finite: np.ndarray) -> _Fault:
    return _Fault(
        ~is_finite,
        "has no finite position and is not used",
        "have no finite positions and are not used",
    )


def _feature_faults(features: _Features) -> Iterator[_Fault]:
    signs = "use positive or negative, foreground or background, true or false, 1 or 0"
    yield _Fault(
        _is_none(features.signs),
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


def _odd_picks(features: _Features) -> _Fault:
    """Rows that are used nevertheless."""
    picks = "the mask is chosen automatically; use 1, 2, 3, or 0 for automatic"
    return _Fault(
        _is_none(features.hypotheses),
        f"has a hypothesis that is not understood, so {picks}",
        f"have hypotheses that are not understood, so {picks}",
    )


def _is_none(values: Sequence[object]) -> np.ndarray:
    return np.array([value is None for value in values], dtype=bool)


def _too_flat(layer: PromptLayer, ndim: int) -> str:
    noun = "points" if isinstance(layer, Points) else "shapes"
    return (
        f"the {noun} of '{layer.name}' have {layer.ndim} dimensions and cannot be "
        f"placed in a picture of {ndim}; press New object, or make a layer of "
        f"{ndim} dimensions"
    )


def _count(layer: PromptLayer) -> int:
    """Number of rows, without a shape that is still being drawn."""
    return len(layer.data) - _is_drawing(layer)


def _is_drawing(layer: PromptLayer) -> bool:
    """Whether the last shape is still being drawn."""
    if not isinstance(layer, Shapes):
        return False
    # napari 0.6 says so of polygons only.
    is_dragged = str(layer.mode) in DRAGGED and layer._moving_value[0] is not None
    return bool(layer._is_creating or is_dragged)


def _places(layer: PromptLayer, image: Image) -> list[np.ndarray]:
    """(V, D) vertices of each row in data pixels of an image; a point has one."""
    data = [
        np.atleast_2d(np.asarray(one, dtype=float))
        for one in list(layer.data)[: _count(layer)]
    ]
    if layer.ndim == image.ndim and is_placed_like(
        layer, WorldMap.of(image), image.units
    ):
        # Nothing is rounded, so that a row is found again.
        return data
    return [_moved(one, layer, image) for one in data]


def _moved(positions: np.ndarray, source: Any, target: Any) -> np.ndarray:
    """Bring data positions of one layer to another; of more axes, the last count."""
    factors = unit_factors(source.units, target.units)
    world: np.ndarray = WorldMap.of(source).to_world(positions)
    world = world[:, -len(factors) :] * factors
    if world.shape[1] < target.ndim:
        return world
    return WorldMap.of(target).to_data(world)


def _row(
    layer: PromptLayer, places: Sequence[np.ndarray], features: _Features, place: int
) -> PointRow | ShapeRow:
    common = (
        # Understood rows have an id; the type checker cannot know.
        features.object_ids[place] or 0,
        bool(features.signs[place]),
        features.hypotheses[place] or 0,
    )
    vertices = places[place].tolist()
    if isinstance(layer, Points):
        return PointRow(tuple(vertices[0]), *common)
    kind = str(layer.shape_type[place])
    return ShapeRow(kind, tuple(tuple(one) for one in vertices), *common)


# Showing


def _selected_rows(layer: PromptLayer, held: LayerRows) -> set[Any]:
    places = np.flatnonzero(held.is_understood).tolist()
    return {
        row
        for row, place in zip(held.rows, places, strict=True)
        if place in layer.selected_data
    }


def _columns(rows: Sequence[Any], odd: Any) -> dict[str, list[Any]]:
    """Features of some rows, and after them those that are not understood."""
    columns = {
        LABEL: [_word(row.is_positive) for row in rows],
        OBJECT_ID: [row.object_id for row in rows],
        HYPOTHESIS: [row.hypothesis for row in rows],
    }
    for name, values in columns.items():
        values.extend(odd[name].tolist() if name in odd else [None] * len(odd))
    return columns


def _place_points(
    layer: Points, image: Image, rows: Sequence[PointRow], odd: Sequence[int]
) -> None:
    positions = np.array([row.position for row in rows], dtype=float)
    positions = _placed(positions.reshape(-1, image.ndim), image, layer)
    layer.data = np.concatenate([positions, layer.data[list(odd)]])


def _place_shapes(
    layer: Shapes, image: Image, rows: Sequence[ShapeRow], odd: Sequence[int]
) -> None:
    kept = [(np.asarray(layer.data[one]), str(layer.shape_type[one])) for one in odd]
    shapes = [
        (_placed(np.array(row.vertices, dtype=float), image, layer), row.kind)
        for row in rows
    ]
    layer.data = [*shapes, *kept]


def _placed(positions: np.ndarray, image: Image, layer: PromptLayer) -> np.ndarray:
    if is_placed_like(layer, WorldMap.of(image), image.units):
        return positions
    return _moved(positions, image, layer)


# Drawing


def _spelled(layer: PromptLayer, name: str, values: Sequence[Any]) -> list[Any]:
    """Values of a feature, where they are understood, else as they are."""
    raw = _column(layer, name, len(layer.features))
    rest = raw[len(values) :]
    understood = zip(values, raw, strict=False)
    return [*(one if value is None else value for value, one in understood), *rest]


def _differs(layer: PromptLayer, name: str, values: list[Any]) -> bool:
    if name not in layer.features:
        return True
    column = layer.features[name]
    # A category would turn an unknown word into a blank.
    return hasattr(column, "cat") or any(
        one is not value and one != value
        for one, value in zip(column.tolist(), values, strict=True)
        if not is_blank(value)
    )


def _colours(layer: PromptLayer, object_ids: Sequence[int | None]) -> np.ndarray:
    background = layer.metadata.get(BACKGROUND, frozenset())
    known = object_colours({one for one in object_ids if one}, background)
    colours = [known.get(one or 0, ODD_COLOUR) for one in object_ids]
    return np.array(colours, dtype=float).reshape(-1, 4)


def _marker_colours(
    colours: np.ndarray, signs: Sequence[bool]
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 4) faces and borders: what is not the object is red, whatever its colour."""
    is_positive = np.array(signs, bool)[:, np.newaxis]
    faces = np.where(is_positive, colours, WARNING_RED)
    return faces, np.where(is_positive, rim_colours(colours), LIGHT)


def _size(layer: PromptLayer, object_id: int | None = None) -> float:
    """Size of points of an object, or width of edges, in data pixels."""
    pixel = layer.metadata.get(PIXEL, 1)
    if not isinstance(layer, Points):
        return float(EDGE_PIXELS * pixel)
    side = layer.metadata.get(SIDES, {}).get(object_id, np.inf)
    if side * MARKER_SHARE < MARKER_PIXELS * pixel:
        return float(max(side * MARKER_SHARE, SMALLEST_MARKER_PIXELS * pixel))
    return float(REACH * MARKER_PIXELS * pixel)


def _draw_size(layer: PromptLayer) -> None:
    """Set the size of all rows: napari 0.6 makes whole numbers of that of new ones."""
    if _is_drawing(layer):
        return
    if isinstance(layer, Shapes):
        width = _size(layer)
        if not np.allclose(layer.edge_width, width):
            layer.edge_width = width
        return
    ids = map(_object_id, _column(layer, OBJECT_ID, len(layer.data)))
    by_id: dict[int | None, float] = {}
    sizes = [by_id.setdefault(one, _size(layer, one)) for one in ids]
    if not np.allclose(layer.size, sizes):
        layer.size = np.array(sizes)


def _draw(layer: PromptLayer, features: _Features) -> None:
    colours = _colours(layer, features.object_ids)
    hidden = layer.metadata.get(HIDDEN, frozenset())
    is_shown = np.array([one not in hidden for one in features.object_ids], bool)
    _draw_size(layer)
    if isinstance(layer, Shapes):
        colours[~is_shown] = NO_FILL
        # Unfinished shapes keep the colour of what is drawn next.
        rest = np.asarray(layer.edge_color)[len(colours) :].reshape(-1, 4)
        _set_colours(layer, "edge_color", np.concatenate([colours, rest]))
        return
    signs = [bool(sign) for sign in features.signs]
    faces, borders = _marker_colours(colours, signs)
    _set_colours(layer, "face_color", faces)
    _set_colours(layer, "border_color", borders)
    if not np.array_equal(layer.shown, is_shown):
        layer.shown = is_shown
    symbols = [SYMBOLS[sign] for sign in signs]
    if symbols and [str(one) for one in layer.symbol] != symbols:
        layer.symbol = symbols


def _set_colours(layer: PromptLayer, name: str, colours: np.ndarray) -> None:
    now = np.asarray(getattr(layer, name))
    if now.shape != colours.shape or not np.allclose(now, colours):
        setattr(layer, name, colours)


def _set_colour(layer: PromptLayer, name: str, colour: Any) -> None:
    setattr(layer, name, np.asarray(colour, dtype=float))
