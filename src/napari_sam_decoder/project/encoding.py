"""Operations of a history as JSON values, and back."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, fields
from itertools import groupby, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.errors import ProjectError, SamDecoderError
from napari_sam_decoder.project.candidates import Candidate
from napari_sam_decoder.project.changes import (
    Change,
    EntryChange,
    LabelsChange,
    RowsChange,
)
from napari_sam_decoder.project.frame_records import FrameRecord
from napari_sam_decoder.project.history import Operation, Step
from napari_sam_decoder.project.label_difference import LabelDifference
from napari_sam_decoder.project.object_record import ObjectRecord
from napari_sam_decoder.project.prompt_rows import PointRow, ScribbleRow, ShapeRow
from napari_sam_decoder.project.run_request import RunRequest
from napari_sam_decoder.project.target_record import TargetRecord
from napari_sam_decoder.prompts import PaintedMask, Prompt, Scribble
from napari_sam_decoder.propagation import Direction, ObjectResult, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "decode_changes",
    "decode_operation",
    "decode_request",
    "encode_changes",
    "encode_operation",
    "encode_request",
]


def encode_operation(operation: Operation) -> dict[str, Any]:
    """Return an operation as JSON values; its changes come last.

    Parameters
    ----------
    operation : Operation
        Of a `History`.
    """
    encoded: dict[str, Any] = {"op": operation.kind}
    step = operation.step
    if step is not None:
        encoded["step"] = step.number
    if step is not None and operation.kind == "step":
        encoded |= {
            "group": step.group,
            "title": step.title,
            "kind": step.kind,
            "details": step.details,
        }
    if operation.after is not None:
        encoded["after"] = operation.after
    if operation.count:
        encoded["count"] = operation.count
    if operation.is_redo_lost:
        encoded["redo_lost"] = True
    if operation.changes:
        encoded["changes"] = encode_changes(operation.changes)
    return encoded


def decode_operation(
    encoded: Mapping[str, Any],
    changes: Sequence[Change] | None = None,
    size: int = 0,
) -> Operation:
    """Return an operation that `encode_operation` has encoded.

    Parameters
    ----------
    encoded : mapping
        The operation.
    changes : sequence of Change, optional
        Used instead of its own.
    size : int
        Bytes that these take.

    Raises
    ------
    ProjectError
        If it is damaged.
    """
    if changes is None:
        changes = decode_changes(encoded.get("changes", ()))
        size = sum(change.size for change in changes)
    try:
        step = None
        if "step" in encoded:
            step = Step(
                int(encoded["step"]),
                str(encoded.get("title", "")),
                str(encoded.get("kind", "")),
                dict(encoded.get("details", {})),
                int(encoded.get("group", 0)),
            )
        return Operation(
            str(encoded["op"]),
            step,
            changes,
            size,
            encoded.get("after"),
            int(encoded.get("count", 0)),
            bool(encoded.get("redo_lost", False)),
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise _damaged() from error


def encode_changes(changes: Iterable[Change]) -> list[Any]:
    """Return changes as JSON values.

    Entries of one table that follow each other are encoded together.
    """
    encoded: list[Any] = []
    for table, together in groupby(changes, _table_of):
        if table is not None:
            encoded.append(_encode_entries(list(together)))
        else:
            encoded += [_encode_other(one) for one in together]
    return encoded


def decode_changes(
    encoded: Sequence[Any], *, with_before: bool = True
) -> tuple[Change, ...]:
    """Return changes that `encode_changes` has encoded.

    Parameters
    ----------
    encoded : sequence
        JSON values.
    with_before : bool, default True
        Whether to decode what entries were before; else they can only be applied.

    Raises
    ------
    ProjectError
        If they are damaged.
    """
    try:
        decode = _decoded if with_before else _applied
        return tuple(change for one in encoded for change in decode(*one))
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        SamDecoderError,
        TypeError,
        ValueError,
    ) as error:
        raise _damaged() from error


def _damaged() -> ProjectError:
    return ProjectError(
        "an action in the project file is damaged; restore the file from a backup"
    )


def _table_of(change: Any) -> Any:
    if isinstance(change, EntryChange):
        return change.table, change.scope
    return None


def _encode_entries(changes: list[Any]) -> list[Any]:
    first = changes[0]
    encode = _CODECS[first.table].encode
    entries = [
        [
            one.key,
            None if one.before is None else encode(one.before),
            None if one.after is None else encode(one.after),
        ]
        for one in changes
    ]
    return ["entries", first.table, first.scope, entries]


def _decoded(kind: str, *parts: Any) -> Iterator[Change]:
    return _DECODERS[kind](*parts)


def _applied(kind: str, *parts: Any) -> Iterator[Change]:
    """Decode changes that are only to be applied."""
    if kind == "entries":
        table, scope, entries = parts
        parts = table, scope, [(key, None, after) for key, _, after in entries]
    return _DECODERS[kind](*parts)


def _decode_entries(
    table: str, scope: list[int], entries: list[Any]
) -> Iterator[EntryChange]:
    decode = _CODECS[table].decode
    place = tuple(map(int, scope))
    for key, before, after in entries:
        yield EntryChange(
            table,
            place,
            _frozen(key),
            None if before is None else decode(before),
            None if after is None else decode(after),
        )


def _encode_other(change: Any) -> list[Any]:
    if isinstance(change, RowsChange):
        rows = [[_encode_row(row) for row in part] for part in _parts(change)]
        return ["rows", change.rows, change.start, *rows]
    return [
        "labels",
        change.target,
        change.sliced,
        change.place,
        _encode_difference(change.difference),
    ]


def _parts(change: RowsChange) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return change.removed, change.inserted


def _decode_rows(
    name: str, start: int, removed: list[Any], inserted: list[Any]
) -> Iterator[RowsChange]:
    decode: Callable[[list[Any]], Any] = _ROWS[name]
    yield RowsChange(
        name, int(start), tuple(map(decode, removed)), tuple(map(decode, inserted))
    )


def _decode_labels(
    target: int, sliced: list[int], place: list[int], difference: list[Any]
) -> Iterator[LabelsChange]:
    yield LabelsChange(
        int(target),
        tuple(map(int, sliced)),
        tuple(map(int, place)),
        _decode_difference(difference),
    )


_DECODERS: dict[str, Callable[..., Iterator[Change]]] = {
    "entries": _decode_entries,
    "rows": _decode_rows,
    "labels": _decode_labels,
}


def _encode_row(row: PointRow | ShapeRow | ScribbleRow) -> list[Any]:
    if isinstance(row, ScribbleRow):
        pixels, sign = row.pixels, int(row.is_positive)
        scribble = [pixels.shape, pixels.runs, sign, row.after]
        encoded = [row.sliced, row.place, *scribble, row.object_id, row.hypothesis]
        return [*encoded, 1] if row.is_whole else encoded
    rest = [row.object_id, int(row.is_positive), row.hypothesis]
    if isinstance(row, PointRow):
        return [row.position, *rest]
    return [row.kind, row.vertices, *rest]


def _decode_point(row: list[Any]) -> PointRow:
    position, object_id, is_positive, hypothesis = row
    return PointRow(
        tuple(map(float, position)), int(object_id), bool(is_positive), int(hypothesis)
    )


def _decode_shape(row: list[Any]) -> ShapeRow:
    kind, vertices, object_id, is_positive, hypothesis = row
    corners = tuple(tuple(map(float, vertex)) for vertex in vertices)
    return ShapeRow(
        str(kind), corners, int(object_id), bool(is_positive), int(hypothesis)
    )


def _decode_scribble_row(row: list[Any]) -> ScribbleRow:
    sliced, place, shape, runs, is_positive, after, object_id, *rest = row
    # Scribbles could not be picked for at first, and no mask be confirmed.
    hypothesis, is_whole = (*rest, 0, 0)[:2] if len(rest) < 3 else rest
    return ScribbleRow(
        tuple(map(int, sliced)),
        tuple(map(int, place)),
        PaintedMask(shape, runs),
        int(object_id),
        bool(is_positive),
        int(after),
        int(hypothesis),
        bool(is_whole),
    )


def _encode_scribble(scribble: Scribble) -> list[Any]:
    pixels = scribble.pixels
    return [pixels.shape, pixels.runs, int(scribble.is_positive), scribble.after]


def _decode_scribble(encoded: list[Any]) -> Scribble:
    shape, runs, is_positive, after = encoded
    return Scribble(PaintedMask(shape, runs), bool(is_positive), after)


_ROWS: dict[str, Callable[[list[Any]], Any]] = {
    "points": _decode_point,
    "shapes": _decode_shape,
    "scribbles": _decode_scribble_row,
}


@dataclass(frozen=True)
class _Codec:
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _encode_difference(difference: LabelDifference) -> list[Any]:
    content = b64encode(difference.content).decode("ascii")
    return [difference.window, content, int(difference.is_reversed)]


def _decode_difference(encoded: list[Any]) -> LabelDifference:
    window, content, is_reversed = encoded
    top, bottom, left, right = map(int, window)
    try:
        packed = b64decode(content, validate=True)
    except binascii.Error as error:
        raise _damaged() from error
    return LabelDifference((top, bottom, left, right), packed, bool(is_reversed))


def _encode_prompt(prompt: Prompt) -> dict[str, Any]:
    encoded: dict[str, Any] = {"object": prompt.object_id, "frame": prompt.frame}
    if prompt.points:
        signs = [int(sign) for sign in prompt.signs or ()]
        encoded |= {"points": prompt.points, "signs": signs}
    if prompt.box is not None:
        encoded["box"] = prompt.box
    if prompt.hypothesis is not None:
        encoded["hypothesis"] = prompt.hypothesis
    if prompt.mask is not None:
        encoded["mask"] = [prompt.mask.shape, prompt.mask.runs]
    if prompt.lasso is not None:
        encoded["lasso"] = prompt.lasso
    if prompt.scribbles:
        encoded["scribbles"] = [_encode_scribble(one) for one in prompt.scribbles]
    return encoded


def _decode_prompt(encoded: dict[str, Any]) -> Prompt:
    mask, signs = encoded.get("mask"), encoded.get("signs")
    return Prompt(
        encoded["object"],
        encoded["frame"],
        encoded.get("points", ()),
        None if signs is None else [bool(sign) for sign in signs],
        encoded.get("box"),
        encoded.get("hypothesis"),
        None if mask is None else PaintedMask(*mask),
        encoded.get("lasso"),
        [_decode_scribble(one) for one in encoded.get("scribbles", ())],
    )


def _encode_object(record: ObjectRecord) -> list[Any]:
    said = [int(record.is_locked), record.parent]
    said += [int(record.is_hidden), int(record.is_background)]
    while said and said[-1] in (0, None):
        said.pop()
    return [record.name, int(record.is_created), *said]


def _decode_object(encoded: list[Any]) -> ObjectRecord:
    name, is_created = encoded[:2]
    # Objects were of one kind at first.
    unsaid: list[Any] = [0, None, 0, 0]
    said = encoded[2:]
    is_locked, parent, is_hidden, is_background = said + unsaid[len(said) :]
    return ObjectRecord(
        str(name),
        bool(is_created),
        bool(is_locked),
        None if parent is None else int(parent),
        bool(is_hidden),
        bool(is_background),
    )


def _encode_candidate(one: Candidate) -> list[Any]:
    choice = None if one.choice is None else int(one.choice)
    return [one.sliced, one.place, one.mask.shape, one.mask.runs, choice, one.parent]


def _decode_candidate(encoded: list[Any]) -> Candidate:
    sliced, place, shape, runs, choice, parent = encoded
    return Candidate(
        tuple(map(int, sliced)),
        tuple(map(int, place)),
        PaintedMask(shape, runs),
        None if choice is None else bool(choice),
        None if parent is None else int(parent),
    )


def _encode_frame(record: FrameRecord) -> list[Any]:
    flags = [int(record.by_run), int(record.has_pixels)]
    if record.result is None:
        return flags
    daughters = record.result.daughters
    offered = [] if daughters is None else [[[m.shape, m.runs] for m in daughters]]
    return [*flags, *_figures_of(record.result), *offered]


def _decode_frame(encoded: list[Any]) -> FrameRecord:
    by_run, has_pixels, *rest = encoded
    return FrameRecord(
        _decode_result(rest) if rest else None, bool(by_run), bool(has_pixels)
    )


def _decode_result(values: list[Any]) -> ObjectResult:
    # There are hundreds of thousands in a long project.
    object_id, verdict, iou, stability, agreement, temporal, change, *rest = values
    likeness, hypothesis, confidence, reason, rival, area, *offered = rest
    return ObjectResult(
        int(object_id),
        _VERDICTS[verdict],
        float(iou),
        float(stability),
        float(agreement),
        float(temporal),
        float(change),
        float(likeness),
        int(hypothesis),
        float(confidence),
        None if reason is None else _REASONS[reason],
        None if rival is None else int(rival),
        int(area),
        _decode_daughters(*offered) if offered else None,
    )


def _decode_daughters(encoded: list[Any]) -> tuple[PaintedMask, PaintedMask]:
    first, second = (PaintedMask(*mask) for mask in encoded)
    return first, second


def encode_request(request: RunRequest) -> dict[str, Any]:
    """Return a request as JSON values."""
    frames = request.frames
    return {
        "direction": request.direction.value,
        "frames": None if frames is None else [frames.start, frames.stop],
        "objects": request.object_ids,
        "replace": request.replace,
        "is_rerun": request.is_rerun,
    }


def decode_request(encoded: Mapping[str, Any]) -> RunRequest:
    """Return a request that `encode_request` has encoded."""
    frames, ids = encoded["frames"], encoded["objects"]
    return RunRequest(
        Direction(encoded["direction"]),
        None if frames is None else range(*map(int, frames)),
        None if ids is None else tuple(map(int, ids)),
        bool(encoded["replace"]),
        bool(encoded["is_rerun"]),
    )


def _encode_numbers(numbers: frozenset[int]) -> list[list[int]]:
    """Write numbers as ranges [first, stop]."""
    ordered = sorted(numbers)
    breaks = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(ordered)) if b > a + 1)]
    parts = pairwise([*breaks, len(ordered)]) if ordered else ()
    return [[ordered[start], ordered[stop - 1] + 1] for start, stop in parts]


def _decode_numbers(encoded: list[Any]) -> frozenset[int]:
    parts = [range(int(start), int(stop)) for start, stop in encoded]
    if sum(map(len, parts)) > _MOST_NUMBERS:
        raise _damaged()
    return frozenset(number for part in parts for number in part)


def _encode_prompts(prompts: frozenset[Prompt]) -> list[Any]:
    ordered = sorted(prompts, key=lambda one: (one.object_id, one.frame))
    return [_encode_prompt(one) for one in ordered]


_RESULT_FIELDS = [one.name for one in fields(ObjectResult) if one.name != "daughters"]
_figures_of = attrgetter(*_RESULT_FIELDS)
_VERDICTS = {one.value: one for one in Verdict}
_REASONS = {one.value: one for one in Reason}
_MOST_NUMBERS = 2**24

_FLAG = _Codec(int, bool)
_PLAIN = _Codec(lambda value: value, lambda value: value)
_PROMPT = _Codec(_encode_prompt, _decode_prompt)
_NUMBERS = _Codec(_encode_numbers, _decode_numbers)
_CODECS: dict[str, _Codec] = {
    "objects": _Codec(_encode_object, _decode_object),
    "candidates": _Codec(_encode_candidate, _decode_candidate),
    "targets": _Codec(
        lambda one: [one.name, one.shape, one.dtype, int(one.is_own)],
        lambda one: TargetRecord(
            str(one[0]), tuple(map(int, one[1])), str(one[2]), bool(one[3])
        ),
    ),
    "options": _PLAIN,
    "ids": _FLAG,
    "dismissed": _FLAG,
    "scanned": _FLAG,
    "painted": _Codec(_encode_difference, _decode_difference),
    "made": _PROMPT,
    "withdrawn": _PROMPT,
    "declined": _PROMPT,
    "declined reruns": _Codec(
        _encode_prompts, lambda many: frozenset(map(_decode_prompt, many))
    ),
    "frames": _Codec(_encode_frame, _decode_frame),
    "requests": _Codec(encode_request, decode_request),
    "adopted": _NUMBERS,
    "inherited": _NUMBERS,
}


def _frozen(key: Any) -> Any:
    if isinstance(key, dict):
        raise TypeError("a mapping is no key")
    return tuple(map(_frozen, key)) if isinstance(key, list) else key
