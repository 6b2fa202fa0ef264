"""The one sentence that tells a person what is going on and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["describe"]


def describe(bench: Workbench) -> str:
    """Say what is going on and what to do next.

    Parameters
    ----------
    bench : Workbench
        As it is now.
    """
    if bench.movie is None:
        return "Open a movie or a volume, or try a sample."
    return _activity(bench) or _next_step(bench)


def _activity(bench: Workbench) -> str:
    conductor = bench.conductor
    if conductor.is_opening:
        return "Loading the network and opening the cache…"
    if conductor.run is not None:
        return conductor.run.activity
    if conductor.is_looking and not bench.conductor.outcome:
        return "Looking at what the labels hold…"
    if conductor.is_previewing:
        is_known = bench.frame in conductor.embedded
        return "Decoding…" if is_known else f"Embedding frame {bench.frame}…"
    return ""


def _next_step(bench: Workbench) -> str:
    if bench.conductor.outcome:
        return bench.conductor.outcome
    current = bench.objects.current
    if current is None and bench.objects.listed:
        return "Select an object in the table to correct it, or press 'New object'."
    if current is None:
        return "Press 'New object', then click the object in the picture."
    if current.layer is None:
        return f"Select {current.name!r} in the table to correct its labels."
    if not current.frames and bench.holds(current.object_id):
        return f"Click where the labels of {current.name!r} are wrong."
    if not current.frames:
        return f"Click {current.name!r} in the picture."
    if bench.current_prompt is None:
        return "Add a point where it is wrong, or press 'Both ways'."
    return "Pick 1, 2 or 3, add a point where the mask is wrong, or press 'Both ways'."
