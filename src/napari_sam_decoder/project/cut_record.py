"""What is known of labels on one cut through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam_decoder.project.frame_records import FrameRecords
from napari_sam_decoder.project.prompt_log import PromptLog

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari_sam_decoder.project.history import History
    from napari_sam_decoder.prompts import Prompt

__all__ = ["CutRecord"]


class CutRecord:
    """What is known of the labels on one cut through them, such as one channel.

    Parameters
    ----------
    history : History
        Its document holds what is known.
    scope : tuple of int
        Of the tables in it.
    is_own : bool
        Whether the labels were made for results, so that nothing else was in them.

    Attributes
    ----------
    frames : FrameRecords
        What runs found out about the objects, and where the labels hold them.
    prompt_log : PromptLog
        What the labels were made from.
    """

    def __init__(
        self, history: History, scope: tuple[int, ...], *, is_own: bool
    ) -> None:
        document = history.document
        self.frames = FrameRecords(document.table("frames", *scope))
        self.prompt_log = PromptLog(history, scope, self.frames)
        self._inherited = document.table("inherited", *scope)
        self._scanned = document.table("scanned", *scope)
        self._is_own = is_own

    @property
    def is_scanned(self) -> bool:
        """Whether the labels that were there before are known."""
        return self._is_own or bool(self._scanned)

    @is_scanned.setter
    def is_scanned(self, is_scanned: bool) -> None:
        if is_scanned:
            self._scanned[0] = True
        else:
            self._is_own = False
            self._scanned.clear()

    def inherited(self, object_id: int) -> frozenset[int]:
        """The frames where an object was before, made from unknown prompts."""
        frames: frozenset[int] = self._inherited.get(object_id, frozenset())
        return frames

    def inherit(self, object_id: int, frames: Collection[int]) -> None:
        """Note where an object was before; on no frame any more if there is none."""
        if frames:
            self._inherited[object_id] = frozenset(frames)
        else:
            self._inherited.pop(object_id, None)

    def absorb(
        self, object_id: int, into: int, prompts_now: Collection[Prompt]
    ) -> None:
        """Take all that is known of an object as known of another one.

        Parameters
        ----------
        object_id : int
            Forgotten.
        into : int
            The other one.
        prompts_now : collection of Prompt
            All prompts, which name only the other one.
        """
        self.inherit(into, self.inherited(into) | self.inherited(object_id))
        self.prompt_log.absorb(object_id, into, prompts_now)
        self.frames.absorb(object_id, into)
        self.inherit(object_id, ())

    def split(self, object_id: int, new_id: int, start: int) -> None:
        """Take all that is known of an object from a frame on as known of a new one.

        Parameters
        ----------
        object_id, new_id : int
            The object that keeps what comes before, and the new one.
        start : int
            The first frame of the new one.
        """
        frames = self.inherited(object_id)
        later = frozenset(frame for frame in frames if frame >= start)
        self.inherit(object_id, frames - later)
        self.inherit(new_id, later)
        self.prompt_log.split(object_id, new_id, start)
        self.frames.split(object_id, new_id, start)

    def forget(self, object_id: int) -> None:
        """Forget an object, whatever its labels."""
        self.prompt_log.forget(object_id)
        self.frames.forget(object_id)
        self.inherit(object_id, ())
