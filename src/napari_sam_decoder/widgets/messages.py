"""What the dock tells a person: what is under way, what to do, what is not used."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.project import RowsChange, name_frames, unused_notices
from napari_sam_decoder.wording import capitalised

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from napari_sam_decoder.project import Place, PromptLog
    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["describe", "describe_place", "describe_rows", "prompt_notices"]


def prompt_notices(
    prompt_log: PromptLog, waiting: Iterable[Prompt], prompts_now: Collection[Prompt]
) -> tuple[str, ...]:
    """Say which points are not in the labels and will not get there by themselves.

    Parameters
    ----------
    prompt_log : PromptLog
        Of the labels.
    waiting : iterable of Prompt
        Those that are not about to correct the labels.
    prompts_now : collection of Prompt
        All prompts as they are now.

    Returns
    -------
    tuple of str
        One line per object and reason.
    """
    idle = [prompt for prompt in waiting if not prompt_log.holds(prompt)]
    declined = [prompt for prompt in idle if prompt_log.is_declined(prompt)]
    others = [prompt for prompt in idle if prompt not in declined]
    beyond = [
        prompt
        for prompt in others
        if prompt.object_id in prompt_log.object_ids and not prompt_log.covers(prompt)
    ]
    beside = [one for one in others if not (one.is_positive or one in beyond)]
    lost = {
        *prompt_log.without_positive_points(prompts_now),
        *prompt_log.declined_reruns(prompts_now),
    }
    return (
        *_without_positive_points(prompt_log, prompts_now),
        *_declined_reruns(prompt_log, prompts_now),
        *_by_object(
            declined,
            "are not in the labels, since the correction was stopped, undone or has "
            "failed; move or add a point there, or press 'Both ways'",
        ),
        *_by_object(
            beyond,
            "are where no run has come; press 'Both ways' to label the object there",
        ),
        *unused_notices(one for one in beside if one.object_id not in lost),
    )


def _without_positive_points(
    prompt_log: PromptLog, prompts_now: Collection[Prompt]
) -> Iterator[str]:
    for object_id in prompt_log.without_positive_points(prompts_now):
        yield (
            f"object {object_id} has no positive point left on the frames of its run, "
            "and its labels stay: add a point to recompute them"
        )


def _declined_reruns(
    prompt_log: PromptLog, prompts_now: Collection[Prompt]
) -> Iterator[str]:
    for object_id in prompt_log.declined_reruns(prompts_now):
        yield (
            f"the labels of object {object_id} come from points that have changed; "
            "press 'Both ways' to recompute them"
        )


def _by_object(prompts: Iterable[Prompt], predicate: str) -> Iterator[str]:
    frames: dict[int, list[int]] = {}
    for prompt in prompts:
        frames.setdefault(prompt.object_id, []).append(prompt.frame)
    for object_id in sorted(frames):
        named = name_frames(sorted(frames[object_id]))
        yield f"the points of object {object_id} on {named} {predicate}"


def describe_rows(before: Sequence[Any], after: Sequence[Any]) -> str:
    """Name a change of points and boxes, as a menu shows it.

    Parameters
    ----------
    before, after : sequence of PointRow or ShapeRow
        All of them.
    """
    # Of thousands of points, few have changed.
    change = RowsChange.between("", tuple(before), tuple(after))
    removed, inserted = (
        ((), ()) if change is None else (change.removed, change.inserted)
    )
    lost = Counter(removed) - Counter(inserted)
    new = Counter(inserted) - Counter(removed)
    rows = [*new.elements()] or [*lost.elements()]
    noun, plural = _noun(rows)
    what = f"a {noun}" if len(rows) == 1 else f"{len(rows)} {plural}"
    if not lost:
        return f"Add {what}"
    if not new:
        return f"Delete {what}"
    places = [
        Counter(_without_pick(row) for row in some.elements()) for some in (lost, new)
    ]
    if places[0] == places[1]:
        pick = max(row.hypothesis for row in new)
        return f"Pick mask {pick}" if pick else "Pick the best mask"
    is_moved = lost.total() == new.total()
    return f"Move {what}" if is_moved else f"Change {what}"


def _noun(rows: Collection[Any]) -> tuple[str, str]:
    """Name some rows, as one and as many."""
    nouns = {_NOUNS.get(_kind_of(row), ("shape", "shapes")) for row in rows}
    return nouns.pop() if len(nouns) == 1 else ("prompt", "prompts")


def _kind_of(row: Any) -> str:
    kind: str = getattr(row, "kind", type(row).__name__)
    return kind


def _without_pick(row: Any) -> Any:
    return replace(row, hypothesis=0) if hasattr(row, "hypothesis") else row


_NOUNS = {
    "PointRow": ("point", "points"),
    "ScribbleRow": ("scribble", "scribbles"),
    "path": ("scribble", "scribbles"),
    "line": ("scribble", "scribbles"),
    "rectangle": ("box", "boxes"),
    "polygon": ("lasso", "lassos"),
}
"""By the kind of a shape; points and scribbles have none."""


def describe_place(bench: Workbench, place: Place | None) -> str:
    """Say why a frame is worth a look, or that none is.

    Parameters
    ----------
    bench : Workbench
        As it is now.
    place : Place, optional
        What is doubtful; None if nothing is.
    """
    if place is None:
        hidden = bench.objects.hidden_ids
        return f"No frame is doubtful{' of what is shown' if hidden else ''}."
    found = bench.controller.state.verdict(place.object_id, place.frame)
    listed = bench.objects.require(place.object_id)
    why = "" if found is None or not found.why else f": {found.why}"
    return f"{listed.name!r} is doubtful on frame {place.frame}{why}."


def describe(bench: Workbench) -> str:
    """Say what is under way and what to do next.

    Parameters
    ----------
    bench : Workbench
        As it is now.
    """
    if bench.movie is None:
        return "Open a movie or a volume, or try a sample."
    return _activity(bench) or _outcome(bench)


def _activity(bench: Workbench) -> str:
    controller = bench.controller
    if controller.is_opening:
        return "Loading the network and opening the cache…"
    if controller.run is not None:
        return controller.run.activity
    if controller.is_scanning and not bench.controller.state.outcome:
        return "Scanning the labels…"
    if controller.is_previewing:
        is_known = bench.frame in controller.state.embedded
        return "Decoding…" if is_known else f"Embedding frame {bench.frame}…"
    working = controller.label_worker.running
    if working is not None:
        return f"{capitalised(working.title)}: {working.progress}."
    return ""


def _outcome(bench: Workbench) -> str:
    """Say what was done last, and what to do next."""
    outcome = bench.controller.state.outcome
    if outcome.endswith("…"):
        return outcome
    return f"{outcome} {_next_step(bench)}".strip()


def _next_step(bench: Workbench) -> str:
    current, offered = bench.objects.current, bench.division
    if bench.are_candidates_here:
        return "Click drops or keeps one, Shift+drag merges; then press 'Keep'."
    if current is not None and offered is not None:
        # What to do comes first: the end of a long message is not seen.
        return (
            f"Press 'Divide': {current.name!r} seems to have divided on frame "
            f"{offered.frame}."
        )
    if current is None and bench.objects.listed:
        return "Select an object in the table to correct it, or press 'New object'."
    if current is None:
        return "Press 'New object', then click the object in the picture."
    if bench.points_layer is None:
        return f"Select {current.name!r} in the table to correct its labels."
    if current.is_locked:
        return f"{current.name!r} is locked: unlock it in the table to change it."
    prompt = bench.current_prompt
    if prompt is not None and prompt.is_settled and bench.labels is not None:
        return f"{current.name!r} is fixed here as it is; add a point to change it."
    is_held, is_shown = bench.holds(current.object_id), prompt is not None
    if is_held and is_shown:
        return "Pick 1, 2 or 3, or add a point where the labels are wrong."
    if is_held:
        return f"Click where the labels of {current.name!r} are wrong."
    if not current.frames:
        return f"Click {current.name!r} in the picture."
    if not is_shown:
        return "Add a point where it is wrong, or press 'Both ways'."
    return "Pick 1, 2 or 3, add a point where the mask is wrong, or press 'Both ways'."
