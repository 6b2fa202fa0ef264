"""All prompts of a movie, and prompts made from a table of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam_decoder.errors import PromptError
from napari_sam_decoder.prompts.positions import checked_positions
from napari_sam_decoder.prompts.prompt import Prompt
from napari_sam_decoder.validation import as_bools, as_finite_array, as_integer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from napari_sam_decoder.formats import PointsTable

__all__ = [
    "PromptSet",
    "checked_prompts",
    "prompts_from_points",
    "prompts_from_tables",
    "read_points",
    "read_points_at",
]


class PromptSet:
    """All prompts of a movie, at most one per object and frame; immutable.

    Parameters
    ----------
    prompts : iterable of Prompt
        Prompts for the same object on the same frame are merged.

    Raises
    ------
    PromptError
        If anything else is among them.
    """

    def __init__(self, prompts: Iterable[Prompt] = ()) -> None:
        merged: dict[tuple[int, int], Prompt] = {}
        for prompt in checked_prompts(prompts):
            key = (prompt.object_id, prompt.frame)
            merged[key] = merged[key].merge(prompt) if key in merged else prompt
        self._prompts = dict(sorted(merged.items()))

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts.values())

    def __repr__(self) -> str:
        frames: dict[int, list[str]] = {}
        for prompt in self:
            frames.setdefault(prompt.object_id, []).append(str(prompt.frame))
        objects = ", ".join(
            f"{object_id}: frame{'s' * (len(on) > 1)} {' '.join(on)}"
            for object_id, on in frames.items()
        )
        return f"{type(self).__name__}({{{objects}}})"

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of all objects, ascending."""
        return tuple(sorted({prompt.object_id for prompt in self}))

    def of_object(self, object_id: int) -> tuple[Prompt, ...]:
        """Return the prompts of one object, in the order of their frames."""
        return tuple(prompt for prompt in self if prompt.object_id == object_id)

    def of_objects(self, object_ids: Collection[int]) -> PromptSet:
        """Return the prompts of some objects."""
        return PromptSet(prompt for prompt in self if prompt.object_id in object_ids)

    def at(self, object_id: int, frame: int) -> Prompt:
        """Return an object's prompt on a frame.

        Raises
        ------
        PromptError
            If it has none there.
        """
        key = _object_id(object_id), _frame(frame)
        if key not in self._prompts:
            raise PromptError(f"object {object_id} has no prompt on frame {frame}")
        return self._prompts[key]

    def add(self, prompt: Prompt) -> PromptSet:
        """Return a set with one more prompt, merged with an earlier one."""
        return PromptSet((*self, prompt))

    def without(self, object_id: int, frame: int | None = None) -> PromptSet:
        """Return a set without an object's prompts, on one frame or on all.

        Raises
        ------
        PromptError
            If the object or the frame is not a whole number.
        """
        object_id = _object_id(object_id)
        frame = None if frame is None else _frame(frame)
        return PromptSet(
            prompt
            for prompt in self
            if prompt.object_id != object_id or frame not in (None, prompt.frame)
        )

    def within(self, frames: range) -> PromptSet:
        """Return the prompts on the given frames."""
        return PromptSet(prompt for prompt in self if prompt.frame in frames)


def checked_prompts(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """Check and list prompts.

    Raises
    ------
    PromptError
        If anything else is among them.
    """
    if isinstance(prompts, Prompt):
        raise PromptError("give a list of prompts, as in [Prompt(...)]")
    try:
        listed = tuple(prompts)
    except TypeError as error:
        raise PromptError(f"give a list of prompts, not {prompts!r}") from error
    for prompt in listed:
        if not isinstance(prompt, Prompt):
            raise PromptError(f"{prompt!r} is not a Prompt; make one of it first")
    return listed


def prompts_from_points(
    frames: Sequence[int] | np.ndarray,
    positions: np.ndarray,
    signs: Sequence[bool] | np.ndarray,
    object_ids: Sequence[int] | np.ndarray,
    hypotheses: Sequence[int] | np.ndarray | None = None,
) -> PromptSet:
    """Make prompts from a table with one point per row.

    Parameters
    ----------
    frames : (N,) ints
        Index of each point's frame; floats are accepted if they are whole numbers.
    positions : (N, 2) floats
        (row, column) in frame pixels.
    signs : (N,) bools
        True on the object, False beside it, or 1 and 0.
    object_ids : (N,) ints
        1 or more.
    hypotheses : (N,) ints, optional
        1 to 3, or 0 where none was picked.

    Returns
    -------
    PromptSet

    Raises
    ------
    PromptError
        If a column has another shape or type, a row is invalid, or two rows pick
        different hypotheses.
    """
    places = checked_positions(positions)
    picked = np.zeros(len(places), int) if hypotheses is None else hypotheses
    columns = {
        "object ids": _column(object_ids, "object ids"),
        "frames": _column(frames, "frames"),
        "signs": as_bools(signs, "signs", PromptError),
        "hypotheses": _column(picked, "hypotheses"),
    }
    for name, column in columns.items():
        if len(column) != len(places):
            raise PromptError(
                f"{len(places)} positions need as many {name}, not {len(column)}"
            )
    rows = list(zip(*columns.values(), places, strict=True))
    _check_picks((object_id, frame, pick) for object_id, frame, _, pick, _ in rows)
    return PromptSet(
        Prompt(object_id, frame, [place], [sign], hypothesis=pick or None)
        for object_id, frame, sign, pick, place in rows
    )


def read_points(path: str | Path, *more: str | Path) -> PromptSet:
    """Read prompts from tables of points, as napari saves a Points layer.

    Parameters
    ----------
    path, *more : str or Path
        CSV files, read as if they were one; see `read_points_table` for the columns.

    Returns
    -------
    PromptSet

    Raises
    ------
    FormatError
        If a file cannot be read.
    PromptError
        If one is not such a table, or two rows pick different hypotheses.

    Examples
    --------
    >>> for prompt in read_points("points.csv"):  # doctest: +SKIP
    ...     session.add_prompt(prompt)
    """
    from napari_sam_decoder.formats import read_points_table

    return prompts_from_tables([read_points_table(each) for each in (path, *more)])


def read_points_at(
    paths: Iterable[str | Path], axes: str, along: str, position: Mapping[str, int]
) -> PromptSet:
    """Read the prompts at a position from tables with a column for each axis.

    Parameters
    ----------
    paths : iterable of str or Path
        As for `read_points`.
    axes : str
        A letter for each axis of the tables, such as "TZYX".
    along : str
        The one that counts the frames.
    position : mapping of str to int
        Points are taken where these axes have these numbers, whatever the others have.

    Raises
    ------
    FormatError, PromptError
        As `read_points`.
    """
    from napari_sam_decoder.formats import read_points_table

    tables = [read_points_table(path, axes, along) for path in paths]
    return prompts_from_tables(tables, position)


def prompts_from_tables(
    tables: Sequence[PointsTable], position: Mapping[str, int] | None = None
) -> PromptSet:
    """Build prompts from tables of points, as if they were one.

    Parameters
    ----------
    tables : sequence of PointsTable
        At least one.
    position : mapping of str to int, optional
        Points elsewhere along these axes are left out.

    Raises
    ------
    PromptError
        If two rows pick different hypotheses.
    """
    here = []
    for table in tables:
        is_here = np.ones(len(table.frames), bool)
        for letter, number in (position or {}).items():
            is_here &= table.places.get(letter, number) == number
        here.append(is_here)

    if not any(is_here.any() for is_here in here):
        return PromptSet()

    def column(name: str) -> np.ndarray:
        return np.concatenate(
            [
                getattr(table, name)[is_here]
                for table, is_here in zip(tables, here, strict=True)
            ]
        )

    return prompts_from_points(
        column("frames"),
        column("positions"),
        column("signs"),
        column("object_ids"),
        column("hypotheses"),
    )


def _object_id(value: int) -> int:
    return as_integer(value, "an object id", PromptError)


def _frame(value: int) -> int:
    return as_integer(value, "a frame", PromptError)


def _column(values: Any, what: str) -> list[int]:
    """Whole numbers; napari holds them as floats."""
    found = as_finite_array(values, what, PromptError)
    odd = found[found != np.rint(found)]
    if found.ndim != 1 or odd.size:
        shown = f"{odd[0]:g}" if odd.size else f"an array of shape {found.shape}"
        raise PromptError(f"{what} must be a list of whole numbers, not {shown}")
    return [int(value) for value in found]


def _check_picks(rows: Iterable[tuple[int, int, int]]) -> None:
    picks: dict[tuple[int, int], int] = {}
    for object_id, frame, hypothesis in rows:
        if (
            hypothesis
            and picks.setdefault((object_id, frame), hypothesis) != hypothesis
        ):
            raise PromptError(
                f"object {object_id} has different hypotheses on frame {frame}; "
                "pick one"
            )
