"""Decode objects where they are expected, and choose the masks that fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from napari_sam_decoder.interactive import redraw
from napari_sam_decoder.model.values import BACKGROUND_LOGIT, DECODER_LIMIT
from napari_sam_decoder.propagation.prior import prompt_from_mask
from napari_sam_decoder.selection import choose_expected, is_unambiguous

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from napari_sam_decoder.appearance.features import FrameFeatures
    from napari_sam_decoder.model.values import Embedding, MaskCandidates, ModelPrompt
    from napari_sam_decoder.propagation.context import Context
    from napari_sam_decoder.propagation.prior import Grid
    from napari_sam_decoder.propagation.track import Track
    from napari_sam_decoder.selection import Choice, Expectation

__all__ = [
    "DecoderInput",
    "DecoderQuery",
    "MovedTracks",
    "build_queries",
    "decode",
    "decode_alternatives",
    "decode_queries",
    "logits_of_others",
    "redraw_low_res",
]

DECODER_SHARE = 0.5
"""Weight of the decoder's logits in the result; the rest is the prior."""


@dataclass(frozen=True, eq=False)
class DecoderInput:
    """Points and a box for one object, with or without a mask.

    Attributes
    ----------
    prompt : ModelPrompt
    mask : (h, w) array of float32, optional
        Low-res logits of the mask prompt.
    """

    prompt: ModelPrompt
    mask: np.ndarray | None = None


def decode(
    context: Context, embedding: Embedding, inputs: Sequence[DecoderInput]
) -> MaskCandidates:
    """Decode all inputs on a frame in one call."""
    return context.decoder.decode(
        embedding, [one.prompt for one in inputs], [one.mask for one in inputs]
    )


def decode_alternatives(
    context: Context, embedding: Embedding, groups: Sequence[Sequence[DecoderInput]]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Decode several inputs for each object, all in one call.

    Parameters
    ----------
    context : Context
        Has the decoder.
    embedding : Embedding
        Of the frame.
    groups : sequence of sequences of DecoderInput
        At least one input for each object.

    Returns
    -------
    list of ((N, h, w) array of float32, (N,) array of float32)
        For each object the logits of all masks, four per input, and their predicted
        IoUs.
    """
    if not groups:
        return []
    candidates = decode(context, embedding, [one for group in groups for one in group])
    ends = np.cumsum([len(group) for group in groups])[:-1]
    logits = np.split(candidates.low_res_logits, ends)
    ratings = np.split(candidates.iou_predictions, ends)
    return [
        (np.concatenate(list(masks)), np.concatenate(list(rated)))
        for masks, rated in zip(logits, ratings, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class MovedTracks:
    """Objects that are carried from one frame to the next.

    Attributes
    ----------
    tracks : mapping of object id to Track
        As the frame before left them.
    moved : mapping of object id to (rows, columns) array
        Logits of their last masks, moved to this frame. An object that was lost long
        ago has none.
    mismatch : (rows, columns) array
        Of the optical flow.
    is_later : bool
        Whether this frame comes after that one in the movie.
    """

    tracks: Mapping[int, Track]
    moved: Mapping[int, np.ndarray]
    mismatch: np.ndarray
    is_later: bool = True

    @classmethod
    def between(
        cls, context: Context, frame: int, before: int, tracks: Mapping[int, Track]
    ) -> Self:
        """Move the tracks of the frame before; without any, no flow is computed."""
        patience, is_later = context.settings.patience, frame > before
        near = {
            key: track
            for key, track in tracks.items()
            if track.missed <= patience and not track.has_ended
        }
        if not near:
            nothing = np.zeros(context.grid.content, np.float32)
            return cls(tracks, {}, nothing, is_later)
        flow = context.flow(frame, before)
        moved = {
            key: track.moved(context.grid, flow.displacement)
            for key, track in near.items()
        }
        return cls(tracks, moved, flow.mismatch, is_later)

    def expectation(
        self, object_id: int, features: FrameFeatures, rivals: np.ndarray
    ) -> Expectation:
        """Say where an object should be: near where it moved to, or anywhere."""
        track = self.tracks[object_id]
        if object_id in self.moved:
            return track.expect(features, self.moved[object_id], rivals, self.mismatch)
        return track.expect_anywhere(features, rivals)


@dataclass(frozen=True, eq=False)
class DecoderQuery:
    """What is expected of one object on one frame, and how to decode it.

    Attributes
    ----------
    object_id : int
    expectation : Expectation
    prompt : DecoderInput
        From the prior, with the prior as mask prompt.
    alternatives : tuple of DecoderInput
        Alternative prompts, for when the result is ambiguous.
    refiner_share : float
        0..1, weight of the refiner in the result.
    """

    object_id: int
    expectation: Expectation
    prompt: DecoderInput
    alternatives: tuple[DecoderInput, ...]
    refiner_share: float = 0.0

    @classmethod
    def of(
        cls,
        object_id: int,
        expectation: Expectation,
        grid: Grid,
        refiner_share: float = 0.0,
    ) -> Self | None:
        """Make the prompts; None if nothing is expected inside the picture.

        The prior as mask prompt holds an object together that point and box alone would
        split. But the decoder tends to repeat the errors of a mask prompt, so one
        alternative goes without. The other has the moved mask, whose outline the
        decoder itself has drawn: it is finer than that of the prior.
        """
        prior, moved = grid.pad(expectation.prior), grid.pad(expectation.moved)
        by_prior = prompt_from_mask(prior, grid)
        by_motion = prompt_from_mask(moved, grid)
        inputs = []
        if by_prior is not None:
            inputs += [DecoderInput(by_prior, prior), DecoderInput(by_prior)]
        if by_motion is not None:
            inputs += [DecoderInput(by_motion, moved)]
        if not inputs:
            return None
        alternatives = tuple(inputs[1:])
        return cls(object_id, expectation, inputs[0], alternatives, refiner_share)


def build_queries(
    context: Context,
    features: FrameFeatures,
    moved_tracks: MovedTracks,
    decided: Mapping[int, np.ndarray],
) -> list[DecoderQuery]:
    """Make a query for each object that may be in the picture.

    Parameters
    ----------
    context : Context
        Has the grid.
    features : FrameFeatures
        Of the frame.
    moved_tracks : MovedTracks
        The objects, moved to the frame.
    decided : mapping of object id to (h, w) array
        Low-res logits of objects that have been decided on this frame already.

    Returns
    -------
    list of DecoderQuery
        None for objects that have ended.
    """
    grid, tracks = context.grid, moved_tracks.tracks
    known = {key: grid.crop(logits) for key, logits in decided.items()}
    known |= {
        key: moved_tracks.moved[key]
        for key, track in tracks.items()
        if not track.missed
    }
    rivals_of = logits_of_others(known, grid.content)

    def build(object_id: int) -> DecoderQuery | None:
        rivals = rivals_of(object_id)
        expectation = moved_tracks.expectation(object_id, features, rivals)
        share = tracks[object_id].refiner_share
        return DecoderQuery.of(object_id, expectation, grid, share)

    features.prepare()
    sought = [key for key, track in tracks.items() if not track.has_ended]
    queries = context.object_threads.map(build, sought)
    return [query for query in queries if query is not None]


def logits_of_others(
    logits: Mapping[int, np.ndarray], shape: tuple[int, int]
) -> Callable[[int], np.ndarray]:
    """Find for each object where all the others are.

    The two largest logits of each pixel are enough for that, in one pass over the
    objects.

    Parameters
    ----------
    logits : mapping of object id to (rows, columns) array of float32
        Of each object that is anywhere.
    shape : tuple of int
        (rows, columns) of the grid.

    Returns
    -------
    callable
        Takes an object id. Returns the (rows, columns) largest logits of all other
        objects, at least `BACKGROUND_LOGIT`.
    """
    largest = second = np.full(shape, BACKGROUND_LOGIT, np.float32)
    owner = np.zeros(shape, np.int64)
    for object_id, values in logits.items():
        owner[values > largest] = object_id
        second = np.maximum(second, np.minimum(largest, values))
        largest = np.maximum(largest, values)
    return lambda object_id: np.where(owner == object_id, second, largest)


def decode_queries(
    context: Context, frame: int, queries: Sequence[DecoderQuery]
) -> list[Choice]:
    """Choose a mask for each query; an ambiguous one is decoded in other ways too.

    Parameters
    ----------
    context : Context
        Has the frames and the networks.
    frame : int
        On which they are.
    queries : sequence of DecoderQuery
        One per object, all decoded in one call.

    Returns
    -------
    list of Choice
        One per query. Its logits are averaged with the prior: the decoder knows what
        makes a good outline, but not which one is the object's. Where the refiner
        counts, they are then averaged with what it makes of them.
    """
    embedding = context.features(frame).embedding
    main = decode_alternatives(context, embedding, [(one.prompt,) for one in queries])
    indices = range(len(queries))

    def choose(index: int) -> Choice:
        return choose_expected(*main[index], queries[index].expectation)

    choices = context.object_threads.map(choose, indices)
    ambiguous = [
        index
        for index in indices
        if queries[index].alternatives
        and not is_unambiguous(choices[index], queries[index].expectation)
    ]
    alternatives = [queries[index].alternatives for index in ambiguous]
    others = dict(
        zip(
            ambiguous,
            decode_alternatives(context, embedding, alternatives),
            strict=True,
        )
    )

    def settle(index: int) -> Choice:
        choice, expectation = choices[index], queries[index].expectation
        if index in others:
            other = choose_expected(*others[index], expectation)
            choice = max(choice, other, key=lambda one: one.score)
        averaged = _averaged(choice, expectation)
        if not queries[index].refiner_share:
            return averaged
        return _redrawn(context, frame, queries[index], averaged, main[index][0])

    return context.object_threads.map(settle, indices)


def _averaged(choice: Choice, expectation: Expectation) -> Choice:
    rows, columns = expectation.prior.shape
    visible = np.clip(choice.logits[:rows, :columns], -DECODER_LIMIT, DECODER_LIMIT)
    logits = choice.logits.copy()
    logits[:rows, :columns] = (
        DECODER_SHARE * visible + (1 - DECODER_SHARE) * expectation.prior
    )
    return replace(choice, logits=logits)


def _redrawn(
    context: Context,
    frame: int,
    query: DecoderQuery,
    choice: Choice,
    decoded: np.ndarray,
) -> Choice:
    """Average a choice with what the refiner makes of it."""
    place, drawn = redraw_low_res(
        context, frame, choice.logits, query.expectation.moved, decoded
    )
    logits, share = choice.logits.copy(), query.refiner_share
    limited = drawn.clip(-DECODER_LIMIT, DECODER_LIMIT)
    logits[place] = (1 - share) * logits[place] + share * limited
    return replace(choice, logits=logits)


def redraw_low_res(
    context: Context,
    frame: int,
    logits: np.ndarray,
    moved: np.ndarray,
    decoded: np.ndarray,
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Let the refiner redraw an object of low-res logits.

    Parameters
    ----------
    context : Context
        Has the frames and the refiner.
    frame : int
        On which the object is.
    logits : (h, w) array of float32
        About where it is.
    moved : (rows, columns) array of float32
        The mask of a frame nearby, moved to this one.
    decoded : (4, h, w) array of float32
        What the decoder makes of it.

    Returns
    -------
    place : (slice, slice)
        Rows and columns of the low-res pixels that the refiner has drawn; none if there
        is no object.
    logits : (rows, columns) array of float32
    """
    shown = context.shown(frame)
    mask, before = (
        context.decoder.enlarge(one, shown.shape).mask(shown.shape)
        for one in (logits, context.grid.pad(moved))
    )
    if not mask.any():
        return (slice(0), slice(0)), np.zeros((0, 0), np.float32)
    return redraw(shown, mask, before, decoded)
