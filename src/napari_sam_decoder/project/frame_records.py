"""What is known of each object on each frame of some labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.project.document import Table
from napari_sam_decoder.propagation import ObjectResult, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from typing import Self

    from napari_sam_decoder.prompts import PaintedMask
    from napari_sam_decoder.propagation import FrameResult

    Listener = Callable[[int, int, "FrameRecord"], None]

__all__ = ["FrameRecord", "FrameRecords", "OfferedDivision"]


@dataclass(frozen=True, slots=True)
class OfferedDivision:
    """Where an object seems to have divided.

    Attributes
    ----------
    frame : int
        The frame from which it is doubtful for that.
    daughters : (PaintedMask, PaintedMask)
        Its halves there, the larger one first.
    """

    frame: int
    daughters: tuple[PaintedMask, PaintedMask]


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One object on one frame.

    Attributes
    ----------
    result : ObjectResult or None
        What the last run or correction found out.
    by_run : bool
        Whether a run has decided on it, not only a correction.
    has_pixels : bool
        Whether the labels hold it there.
    """

    result: ObjectResult | None = None
    by_run: bool = False
    has_pixels: bool = False


_NOTHING = FrameRecord()
_DECIMALS = 4


def _rounded(result: ObjectResult) -> ObjectResult:
    """Keep as many decimals as a person sees, since there are very many results."""
    figures: dict[str, Any] = {
        name: round(value, _DECIMALS)
        for name, value in vars(result).items()
        if isinstance(value, float)
    }
    return replace(result, **figures)


class FrameRecords:
    """What is known of each object on each frame, with counts.

    Parameters
    ----------
    table : Table
        Its keys are (object id, frame), its values are `FrameRecord`.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        # Counted as they come: the table of objects asks for them all the time.
        self._counts: dict[int, Counter[Verdict]] = {}
        self._conflicts: dict[int, Counter[str]] = {}
        self._by_run: dict[int, set[int]] = {}
        self._with_pixels: dict[int, set[int]] = {}
        self._known: dict[int, set[int]] = {}
        self._doubtful: dict[int, set[int]] = {}
        self._divided: dict[int, set[int]] = {}
        self._outlined: dict[int, set[int]] = {}
        self._listeners: list[Listener] = []
        self._spans: dict[int, range] = {}
        for (object_id, frame), record in table.items():
            self._follow((object_id, frame), None, record)
        table.subscribe(self._follow)

    @classmethod
    def apart(cls) -> Self:
        """Make empty records that belong to no document."""
        return cls(Table("frames", (), lambda _: None))

    def of(self, object_id: int, frame: int) -> ObjectResult | None:
        """Return what was found out about an object on a frame, if anything was."""
        return self.at(object_id, frame).result

    def at(self, object_id: int, frame: int) -> FrameRecord:
        """Return what is known of an object on a frame."""
        record: FrameRecord = self._table.get((object_id, frame), _NOTHING)
        return record

    def note(self, result: FrameResult, *, by_run: Collection[int] = ()) -> None:
        """Take the verdicts of a frame.

        Parameters
        ----------
        result : FrameResult
            Judged by the final labels.
        by_run : collection of int
            The objects on which a run has decided.
        """
        for object_id, exact in result.judged.items():
            found = _rounded(exact)
            earlier = self.at(object_id, result.frame)
            has_pixels = earlier.has_pixels
            if object_id in result.objects:
                has_pixels = found.verdict is not Verdict.ABSENT
            self._set(
                object_id,
                result.frame,
                FrameRecord(found, earlier.by_run or object_id in by_run, has_pixels),
            )

    def fix(self, object_id: int, frame: int, area: int) -> None:
        """Note that a person has fixed an object on a frame as it is in the labels.

        Parameters
        ----------
        object_id, frame : int
            What was fixed.
        area : int
            Its pixels there.
        """
        earlier = self.at(object_id, frame)
        found = ObjectResult.fixed(object_id, area)
        self._set(object_id, frame, replace(earlier, result=found, has_pixels=area > 0))

    def forget(self, object_id: int) -> None:
        """Forget one object."""
        for frame in sorted(self._known.get(object_id, ())):
            self._set(object_id, frame, _NOTHING)

    def absorb(self, object_id: int, into: int) -> None:
        """Count all that is known of an object as known of another one.

        Parameters
        ----------
        object_id : int
            Forgotten.
        into : int
            Keeps its own verdict on frames where both were, with the pixels of both.
        """
        for frame in sorted(self._known.get(object_id, ())):
            given, own = self.at(object_id, frame), self.at(into, frame)
            result = own.result
            if given.result is not None and not own.has_pixels:
                result = replace(given.result, object_id=into)
            elif given.result is not None and result is not None and given.has_pixels:
                area = result.mask_area + given.result.mask_area
                result = replace(result, mask_area=area)
            self._set(
                into,
                frame,
                FrameRecord(
                    result,
                    own.by_run or given.by_run,
                    own.has_pixels or given.has_pixels,
                ),
            )
        self.forget(object_id)

    def split(self, object_id: int, new_id: int, start: int) -> None:
        """Count all that is known of an object from a frame on as known of a new one.

        Parameters
        ----------
        object_id, new_id : int
            The object that keeps what comes before, and the new one.
        start : int
            The first frame of the new one.
        """
        for frame in sorted(self._known.get(object_id, ())):
            if frame >= start:
                record = self.at(object_id, frame)
                result = record.result
                if result is not None:
                    # A division on its first frame has been dealt with.
                    daughters = None if frame == start else result.daughters
                    result = replace(result, object_id=new_id, daughters=daughters)
                self._set(new_id, frame, replace(record, result=result))
                self._set(object_id, frame, _NOTHING)

    def add_pixels(self, object_id: int, frames: Iterable[int]) -> None:
        """Note frames on which the labels hold an object."""
        for frame in frames:
            earlier = self.at(object_id, frame)
            self._set(object_id, frame, replace(earlier, has_pixels=True))

    def note_ids(self, frame: int, ids: Collection[int]) -> None:
        """Note which of the known objects have pixels on a frame now."""
        for object_id, frames in tuple(self._known.items()):
            if frames and self.has_pixels(object_id, frame) != (object_id in ids):
                earlier = self.at(object_id, frame)
                has_pixels = object_id in ids
                self._set(object_id, frame, replace(earlier, has_pixels=has_pixels))

    @property
    def object_ids(self) -> frozenset[int]:
        """Objects of which anything is known on any frame."""
        return frozenset(one for one, frames in self._known.items() if frames)

    def frames_with(self, object_id: int) -> frozenset[int]:
        """The frames on which the labels hold an object."""
        return frozenset(self._with_pixels.get(object_id, ()))

    def has_pixels(self, object_id: int, frame: int) -> bool:
        """Whether the labels hold an object on a frame."""
        return frame in self._with_pixels.get(object_id, ())

    def frame_count(self, object_id: int) -> int:
        """Count the frames on which the labels hold an object."""
        return len(self._with_pixels.get(object_id, ()))

    def span(self, object_id: int) -> range:
        """From the first to the last frame on which the labels hold an object."""
        frames = self._with_pixels.get(object_id)
        if not frames:
            return range(0)
        if object_id not in self._spans:
            self._spans[object_id] = range(min(frames), max(frames) + 1)
        return self._spans[object_id]

    @property
    def ids_with_pixels(self) -> frozenset[int]:
        """Objects that the labels hold on any frame."""
        return frozenset(one for one, frames in self._with_pixels.items() if frames)

    def frames_by_run(self, object_id: int) -> frozenset[int]:
        """The frames on which a run has decided on an object."""
        return frozenset(self._by_run.get(object_id, ()))

    def doubtful_frames(self, object_id: int) -> frozenset[int]:
        """The frames on which a person should look at an object."""
        return frozenset(self._doubtful.get(object_id, ()))

    def doubtful_count(self, object_id: int) -> int:
        """Count the frames on which a person should look at an object."""
        return len(self._doubtful.get(object_id, ()))

    @property
    def outlined_count(self) -> int:
        """Count the frames on which a person has fixed the outline of any object."""
        return len(self._outlined)

    @property
    def outlined(self) -> dict[int, tuple[int, ...]]:
        """The objects whose outlines a person has fixed, by frame, both ascending."""
        frames = sorted(self._outlined)
        return {frame: tuple(sorted(self._outlined[frame])) for frame in frames}

    def of_object(self, object_id: int) -> Iterator[tuple[int, FrameRecord]]:
        """Yield each frame on which anything is known of an object, in no order."""
        for frame in tuple(self._known.get(object_id, ())):
            yield frame, self.at(object_id, frame)

    def subscribe(self, listener: Listener) -> None:
        """Call back with (object id, frame, record) whenever a record changes."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Call a listener back no more."""
        self._listeners.remove(listener)

    def division(self, object_id: int) -> OfferedDivision | None:
        """Return where an object seems to have divided first; None if it does not."""
        frames = self._divided.get(object_id)
        if not frames:
            return None
        first = min(frames)
        found = self.of(object_id, first)
        if found is None or found.daughters is None:
            return None
        return OfferedDivision(first, found.daughters)

    def counts(self, object_id: int) -> Counter[Verdict]:
        """Count an object's frames by verdict."""
        return +self._counts.get(object_id, Counter())

    def conflicts(self, object_id: int) -> Counter[str]:
        """Count the frames on which others are in an object's way, by the reason."""
        return +self._conflicts.get(object_id, Counter())

    def verdicts_of(self, object_ids: Iterable[int]) -> dict[int, Verdict]:
        """Give each frame one verdict: doubtful if any object is, or is taken."""
        frames: dict[int, Verdict] = {}
        for object_id in object_ids:
            for frame in self._known.get(object_id, ()):
                found = self.of(object_id, frame)
                if found is not None and frames.get(frame) is not Verdict.DOUBTFUL:
                    is_doubtful = found.is_doubtful
                    frames[frame] = Verdict.DOUBTFUL if is_doubtful else found.verdict
        return frames

    def _set(self, object_id: int, frame: int, record: FrameRecord) -> None:
        if record != _NOTHING:
            self._table[object_id, frame] = record
        elif (object_id, frame) in self._table:
            del self._table[object_id, frame]

    def _follow(
        self, key: Any, before: FrameRecord | None, after: FrameRecord | None
    ) -> None:
        """Keep the counts up to date."""
        object_id, frame = key
        now = after or _NOTHING
        found = now.result
        is_fixed = found is not None and found.verdict is Verdict.PROMPTED
        is_offered = found is not None and found.daughters is not None
        for frames, is_in in (
            (self._known, after is not None),
            (self._doubtful, found is not None and found.is_doubtful),
            (self._divided, is_offered),
            (self._by_run, now.by_run),
            (self._with_pixels, now.has_pixels),
        ):
            known = frames.setdefault(object_id, set())
            (known.add if is_in else known.discard)(frame)
        self._follow_outline(object_id, frame, is_known=is_fixed and now.has_pixels)
        self._follow_span(object_id, frame, has_pixels=now.has_pixels)
        for record, count in ((before, -1), (after, 1)):
            if record is not None and record.result is not None:
                self._count(object_id, record.result, count)
        for listener in tuple(self._listeners):
            listener(object_id, frame, now)

    def _follow_outline(self, object_id: int, frame: int, *, is_known: bool) -> None:
        """Keep the objects by frame, without frames that have none."""
        ids = self._outlined.get(frame, set())
        (ids.add if is_known else ids.discard)(object_id)
        if ids:
            self._outlined[frame] = ids
        else:
            self._outlined.pop(frame, None)

    def _follow_span(self, object_id: int, frame: int, *, has_pixels: bool) -> None:
        """Keep a span that was asked for, or forget it where it must be searched."""
        span = self._spans.get(object_id)
        if span is None or has_pixels == (frame in span):
            return
        if has_pixels:
            first, last = min(frame, span[0]), max(frame, span[-1])
            self._spans[object_id] = range(first, last + 1)
        elif frame in (span[0], span[-1]):
            del self._spans[object_id]

    def _count(self, object_id: int, result: ObjectResult, count: int) -> None:
        self._counts.setdefault(object_id, Counter())[result.verdict] += count
        if result.reason is not None and result.reason.is_conflict:
            self._conflicts.setdefault(object_id, Counter())[result.why] += count
