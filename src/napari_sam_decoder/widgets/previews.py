"""What is known of prompts before they are propagated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from napari_sam_decoder.prompts import Prompt
    from napari_sam_decoder.widgets.background import ShownPreview

__all__ = ["KEPT_PREVIEWS", "PreviewBook"]

_Key = tuple[int, int]

KEPT_PREVIEWS = 32
"""More are kept only if they are all on one frame; each holds three masks."""


class PreviewBook:
    """The last preview of each object on each frame, and what needs none any more."""

    def __init__(self) -> None:
        self._shown: dict[_Key, ShownPreview] = {}
        self._failed: set[Prompt] = set()
        self._settled: dict[_Key, Prompt] = {}

    def clear(self) -> None:
        """Forget everything, as for another movie or another network."""
        self._shown.clear()
        self._failed.clear()
        self._settled.clear()

    def add(self, shown: ShownPreview) -> None:
        """Note a preview that has come, and forget old ones of other frames."""
        key = _key(shown.preview.prompt)
        others = [other for other in self._shown if other[1] != key[1]]
        for other in others[: max(0, len(self._shown) - KEPT_PREVIEWS)]:
            del self._shown[other]
        self._shown[key] = shown

    def give_up(self, prompts: Iterable[Prompt]) -> None:
        """Ask for these no more until they change."""
        self._failed.update(prompts)

    def settle(self, prompts: Iterable[Prompt]) -> None:
        """Note that prompts are in the labels; the canvas need not preview them."""
        self._settled.update((_key(prompt), prompt) for prompt in prompts)

    def unsettle(self) -> None:
        """Note that the labels are gone."""
        self._settled.clear()

    def latest(self, object_id: int, frame: int) -> ShownPreview | None:
        """Last preview of an object on a frame, perhaps of an earlier prompt."""
        return self._shown.get((object_id, frame))

    def missing(self, prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
        """Say which prompts have no preview yet, after using what is known.

        Parameters
        ----------
        prompts : iterable of Prompt
            All of a frame, as they are now.

        Returns
        -------
        tuple of Prompt
            Those that have to be decided on, since they or others have changed.
        """
        present = frozenset(prompts) - self._failed
        return tuple(
            prompt
            for prompt in sorted(present, key=_key)
            if not self._is_known(prompt, present)
        )

    def masks(self, prompts: Iterable[Prompt]) -> dict[int, np.ndarray]:
        """Masks to draw on the canvas: of prompts that are not in the labels yet.

        Parameters
        ----------
        prompts : iterable of Prompt
            All on one frame.

        Returns
        -------
        dict of object id to (Y, X) array of bool
        """
        return {
            prompt.object_id: self._shown[_key(prompt)].preview.chosen.mask
            for prompt in prompts
            if _key(prompt) in self._shown and self._settled.get(_key(prompt)) != prompt
        }

    def asked(
        self, prompts: Iterable[Prompt]
    ) -> tuple[tuple[Prompt, ...], tuple[ShownPreview, ...]]:
        """Say which prompts of a frame to decide together, and what is known there."""
        together = tuple(prompt for prompt in prompts if prompt not in self._failed)
        known = (self._shown.get(_key(prompt)) for prompt in together)
        return together, tuple(shown for shown in known if shown is not None)

    def _is_known(self, prompt: Prompt, present: frozenset[Prompt]) -> bool:
        shown = self._shown.get(_key(prompt))
        if shown is None:
            return False
        if present != {prompt} or len(shown.together) > 1:
            # A pick or a point of one object may concern the others.
            return shown.together == present
        if prompt == shown.preview.prompt:
            return True
        picked = replace(shown.preview.prompt, hypothesis=prompt.hypothesis)
        if prompt.hypothesis is None or prompt != picked:
            return False
        # The masks of the three hypotheses are at hand: no need to decode again.
        chosen = shown.preview.hypotheses[prompt.hypothesis - 1]
        preview = replace(shown.preview, prompt=prompt, chosen=chosen)
        self._shown[_key(prompt)] = replace(
            shown, preview=preview, together=frozenset([prompt])
        )
        return True


def _key(prompt: Prompt) -> _Key:
    return prompt.object_id, prompt.frame
