"""A simulated annotator at a workbench, who knows the truth and counts actions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
from tracking_parts.prompting import correcting_scribble, outline, wrong_place

from napari_sam_decoder.metrics import mask_iou
from napari_sam_decoder.project import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracking_parts.data import Target

    from napari_sam_decoder.widgets.workbench import Workbench

__all__ = ["Annotator", "Effort", "Habits"]

CLICKS = 3
"""On one object and frame, before the annotator takes the brush."""
PATIENCE_S = 3600


@dataclass(frozen=True)
class Habits:
    """How somebody works.

    Attributes
    ----------
    right : float
        J from which on a mask is left as it is.
    most : int
        Actions per object, after which it is left as it is.
    in_order : bool
        Whether they first go where the review order sends them.
    learn_from : int
        Fixed frames from which on the decoder is trained once; 0 for never.
    steps : int
        Of that training.
    """

    right: float = 0.85
    most: int = 30
    in_order: bool = False
    learn_from: int = 0
    steps: int = 500


@dataclass
class Effort:
    """What was done, and what it has brought.

    Attributes
    ----------
    shares : list of float
        0..1: masks that are right of all, after each action from the first run on.
    looked : int
        Masks that were looked at.
    confirmed : int
        Actions that only said that a mask is right.
    proposed : int
        Masks that the review order has proposed.
    proposed_wrong : int
        Those of them that were wrong.
    share_in_order : float or None
        Share once there was nothing to propose for the first time.
    seconds : float
        Of computing, on all processors together.
    learned : (float, float) or None
        IoU on a frame that was not learned from, before and after.
    """

    shares: list[float] = field(default_factory=list)
    looked: int = 0
    confirmed: int = 0
    proposed: int = 0
    proposed_wrong: int = 0
    share_in_order: float | None = None
    seconds: float = 0.0
    learned: tuple[float, float] | None = None


class Annotator:
    """Someone who segments objects until all of their masks are right.

    Parameters
    ----------
    bench : Workbench
        With the movie chosen.
    targets : sequence of Target
        The objects. They get the ids 1, 2, ... in the labels.
    length : int
        Only so many frames from the first on are labelled.
    habits : Habits
    """

    def __init__(
        self, bench: Workbench, targets: Sequence[Target], length: int, habits: Habits
    ) -> None:
        self.effort = Effort()
        self._bench = bench
        self._targets = dict(enumerate(targets, start=1))
        self._frames = range(length)
        self._habits = habits
        self._actions: Counter[int] = Counter()
        self._clicks: Counter[Place] = Counter()
        self._boxed: set[Place] = set()

    def work(self) -> Effort:
        """Show all objects, run them, and correct what is wrong."""
        begun = process_time()
        for object_id, target in self._targets.items():
            self._bench.new_object()
            self._bench.add_box(target.start, outline(target.truth(target.start)))
            self._boxed.add(Place(target.start, object_id))
            self._actions[object_id] += 1
        self._run()
        self._note()
        for place in self._places():
            self._settle(place)
            self._note()
            if self._is_time_to_learn():
                self._learn()
                self._note()
        self.effort.seconds = process_time() - begun
        return self.effort

    def _run(self) -> None:
        self._bench.propagate(frames=self._frames)
        self._bench.wait(PATIENCE_S)

    # Where to look

    def _places(self) -> Iterator[Place]:
        """Go where something is to be done, until all is right or patience is lost."""
        while self._habits.in_order and (place := self._proposed()) is not None:
            self.effort.proposed += 1
            self.effort.looked += 1
            self.effort.proposed_wrong += not self._is_right(place)
            yield place
            yield from self._until_right(place)
        if self._habits.in_order:
            self.effort.share_in_order = self._share()
        # A correction may spoil what was right: somebody who cares looks again.
        while (self._wrong() & self._patient()) != set():
            for place in self._in_time():
                self.effort.looked += 1
                yield from self._until_right(place)

    def _until_right(self, place: Place) -> Iterator[Place]:
        while place.object_id in self._patient() and not self._is_right(place):
            yield place

    def _proposed(self) -> Place | None:
        """Say what the workbench proposes first, of objects that are worth it."""
        patient = self._patient()
        for place in self._bench.doubtful_places("helpful"):
            if place.object_id in patient and place.frame in self._frames:
                return place
        return None

    def _in_time(self) -> Iterator[Place]:
        for frame in self._frames:
            for object_id, target in self._targets.items():
                if frame in target.frames:
                    yield Place(frame, object_id)

    def _patient(self) -> set[int]:
        return {one for one in self._targets if self._actions[one] < self._habits.most}

    def _wrong(self) -> set[int]:
        places = self._in_time()
        return {place.object_id for place in places if not self._is_right(place)}

    # What is seen

    def _found(self, place: Place) -> np.ndarray:
        labels = np.asarray(self._bench.labels.data[place.frame])
        found: np.ndarray = labels == place.object_id
        return found

    def _truth(self, place: Place) -> np.ndarray:
        return self._targets[place.object_id].truth(place.frame)

    def _is_right(self, place: Place) -> bool:
        return mask_iou(self._truth(place), self._found(place)) >= self._habits.right

    def _share(self) -> float:
        return float(np.mean([self._is_right(place) for place in self._in_time()]))

    def _note(self) -> None:
        """Note the share of masks that are right, after so many actions."""
        done = sum(self._actions.values()) - len(self._targets)
        missing = done + 1 - len(self.effort.shares)
        self.effort.shares += [self._share()] * missing

    # What is done

    def _settle(self, place: Place) -> None:
        """Take one action on a mask, which may be right."""
        self._bench.show_place(place.object_id, place.frame)
        self._actions[place.object_id] += 1
        if self._is_right(place):
            self.effort.confirmed += 1
            self._bench.confirm_frame()
        else:
            self._correct(place)
        self._bench.wait(PATIENCE_S)

    def _correct(self, place: Place) -> None:
        truth, found = self._truth(place), self._found(place)
        is_lost = truth.any() and not (truth & found).any()
        if is_lost and place not in self._boxed:
            self._boxed.add(place)
            self._bench.add_box(place.frame, outline(truth))
        elif self._clicks[place] < CLICKS:
            self._clicks[place] += 1
            position, is_missing = wrong_place(truth, found)
            point = place.frame, *position
            self._bench.add_points(point, is_positive=is_missing)
        else:
            target = self._targets[place.object_id]
            (stroke,) = correcting_scribble(target, place.frame, found).scribbles
            self._bench.add_scribble(
                place.frame, stroke.pixels, is_positive=stroke.is_positive
            )

    def _is_time_to_learn(self) -> bool:
        least = self._habits.learn_from
        is_new = self.effort.learned is None
        return bool(least) and is_new and self._bench.fixed_count >= least

    def _learn(self) -> None:
        """Train the decoder, use it if it is better, and run all objects anew."""
        bench = self._bench
        bench.learn(self._habits.steps)
        bench.wait(PATIENCE_S)
        learned = bench.learned
        self.effort.learned = learned.before.clicked, learned.after.clicked
        if learned.is_better:
            bench.use_learned()
            self._run()
        else:
            bench.discard_learned()
