"""Everything that a person or a script can do with the dock."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from napari_sam_decoder.arguments import flag, whole
from napari_sam_decoder.errors import MovieError, OptionError, PromptError
from napari_sam_decoder.frames import asked_stretch
from napari_sam_decoder.propagation import Direction
from napari_sam_decoder.widgets.layers import (
    MovieView,
    go_to_frame,
    show_frames,
    slider_point,
)
from napari_sam_decoder.widgets.pointing import Pointing
from napari_sam_decoder.widgets.requests import RunRequest
from napari_sam_decoder.widgets.waiting import wait_until
from napari_sam_decoder.widgets.watch import ViewerWatch

if TYPE_CHECKING:
    from collections.abc import Collection

    from napari.components import ViewerModel
    from napari.layers import Image, Labels, Layer, Points

    from napari_sam_decoder.frames import AskedFrames
    from napari_sam_decoder.widgets.options import ModelOptions

__all__ = ["Workbench"]


class Workbench(Pointing):
    """What the dock does, for its controls and for scripts; knows no widget.

    Methods raise a `SamDecoderError` where a person would see a notification. Work in
    the background goes on after they return, see `wait`.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers are worked on.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._watch = ViewerWatch(self)

    def close(self) -> None:
        """Stop all work and give back events and layers; of no more use then.

        What has been done on each movie stays, for the next one on this viewer.
        """
        if not self.is_closed:
            self._watch.close()
            super().close()

    @property
    def notices(self) -> tuple[str, ...]:
        """What cannot be used or does not fit, and why."""
        return (*super().notices, *self._watch.notices)

    def take(self, view: MovieView | None) -> None:
        """Take another movie, or another plane of the same one."""
        super().take(view)
        if view is not None:
            self._watch.follow(self.conductor.work, view.layer)

    def choose_movie(self, layer: Image | None, axis: int | None = None) -> None:
        """Work on an image layer, or on none.

        Its objects, labels and options are found again as they were left; a run on the
        movie before goes on in the background.

        Parameters
        ----------
        layer : napari.layers.Image, optional
            A movie, a volume or a picture.
        axis : int, optional
            Axis of the layer's data along which objects are followed; by default the
            one that was given the last time, or time, else depth, else the first.

        Raises
        ------
        MovieError
            If the layer cannot be read as a movie.
        """
        view = None
        if layer is not None:
            view = self._view_of(layer, axis)
            show_frames(view, self.viewer.dims)
        self.take(view)
        if axis is not None:
            self.conductor.work.axis = axis

    def choose_plane(self, axis: int, index: int) -> None:
        """Work on another plane of a layer with more axes, such as another channel.

        The viewer's slider is moved there; moving it by hand does the same.

        Parameters
        ----------
        axis : int
            Of the layer's data axes, neither that of the frames nor one of the picture.
        index : int
            Of the plane along it, from 0.

        Raises
        ------
        MovieError
            If no movie is chosen, or it has no such plane.
        """
        view = self.require_movie().cut_at(axis, index)
        go_to_frame(view, self.viewer.dims, self.frame)

    def turn_to(self, layer: Points) -> None:
        """Work on the object of a Points layer, and on the movie that it belongs to."""
        if layer not in self.objects:
            for work in self.conductor.all_work:
                if layer in work.objects and work.view is not None:
                    self.choose_movie(work.view.layer)
                    break
        current = self.objects.current
        if current is None or current.layer is not layer:
            self.objects.turn_to(layer)
            self.changed.emit()

    def take_new_pixels(self, layer: Image) -> None:
        """Note that the pixels of a movie were replaced."""
        work = self.conductor.all_work.find(layer)
        if work is None:
            return
        self.conductor.part_with(work, "has got other pixels")
        if work is self.conductor.work:
            try:
                self.choose_movie(layer)
            except MovieError as error:
                self.choose_movie(None)
                self.informed.emit(str(error))

    def lose_movie(self, layer: Layer) -> None:
        """Note that a layer which may be a movie has been removed; it takes nothing."""
        work = self.conductor.all_work.find(layer)
        if work is None:
            return
        self.conductor.part_with(work, "was removed")
        self.unhide(work)
        if work is self.conductor.work:
            self.choose_movie(None)

    def lose_labels(self, layer: Labels) -> None:
        """Note that a Labels layer has been removed, maybe in mid-run."""
        self.conductor.lose_labels(layer)
        self.conductor.advance()
        self.show_previews()

    def find_again(self, layer: Labels) -> None:
        """Let results go to a Labels layer that had been removed and is back."""
        lost = self.conductor.work.lost
        if self.labels is None and lost is not None and lost() is layer:
            self.choose_labels(layer)

    def _view_of(self, layer: Image, axis: int | None) -> MovieView:
        point = slider_point(layer, self.viewer.dims)
        work = self.conductor.all_work.find(layer)
        if axis is None and work is not None and work.axis is not None:
            # Other pixels may have no such axis.
            with suppress(MovieError):
                return MovieView.of(layer, work.axis, point)
        return MovieView.of(layer, axis, point)

    def delete_object(self, object_id: int, labels: str = "keep") -> None:
        """Take an object away, with its points.

        Parameters
        ----------
        object_id : int
            Its value in the labels; it is not given to another object.
        labels : {"keep", "remove"}
            Whether its labels stay, as if somebody else had made them, or are removed
            in the background, from all frames.

        Raises
        ------
        OptionError
            If ``labels`` is neither.
        PromptError
            If there is no such object, or a run is at work on it.
        """
        if labels not in ("keep", "remove"):
            raise OptionError(f"labels must be 'keep' or 'remove', not {labels!r}")
        found = self.objects.require(object_id)
        self.conductor.require_rest(object_id)
        for layer in self.objects.part_with(object_id):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.conductor.dismiss(object_id)
        self.read()
        if labels == "remove" and self.labels is not None:
            self.conductor.erase(object_id, found.name)
        else:
            self.conductor.work.outcome = f"{found.name!r} was deleted."
        self.conductor.advance()

    def configure(self, options: ModelOptions) -> None:
        """Use another model, device, contrast or cache from now on.

        Parameters
        ----------
        options : ModelOptions
            All of them.
        """
        self.conductor.set_options(options)

    def choose_labels(self, layer: Labels | None) -> None:
        """Let results go to a Labels layer that is there, or to a new one.

        The objects that it holds become objects here, with their ids, and can be
        corrected. A new object gets an id that it does not hold.

        Parameters
        ----------
        layer : napari.layers.Labels, optional
            Of the image's shape; None for a new one.

        Raises
        ------
        MovieError
            If no movie is chosen.
        LabelsError
            If the layer does not fit the movie.
        """
        self.require_movie()
        if layer is None:
            self.conductor.recorder.release()
        else:
            self.conductor.choose_labels(layer)
        self.conductor.previews.unsettle()
        self.show_previews()
        self.changed.emit()

    def embed(self) -> None:
        """Embed all frames in the background, those around the current one first."""
        self.require_movie()
        self.conductor.embed()

    def embed_as_shown(self) -> None:
        """Let the network see the limits that the layer has now, and embed anew.

        Points, labels and what has been embedded for other limits stay.

        Raises
        ------
        MovieError
            If no movie is chosen.
        """
        self.require_movie()
        self.conductor.embed_as_shown()

    def stop_embedding(self) -> None:
        """Embed no more ahead of time; what is embedded stays."""
        self.conductor.stop_embedding()

    def propagate(
        self,
        direction: str = "both",
        *,
        frames: AskedFrames = None,
        objects: Collection[int] | None = None,
        replace: bool = False,
    ) -> None:
        """Carry objects from their points through the movie, in the background.

        Parameters
        ----------
        direction : {"both", "forward", "backward"}
            Towards later frames, earlier ones, or both.
        frames : range, list, slice or array of int, optional
            The frames to label, all by default; one after the other without a gap.
        objects : collection of int, optional
            All by default.
        replace : bool, default False
            Whether it may overwrite other objects, and frames painted by hand.

        Raises
        ------
        MovieError
            If no movie is chosen.
        OptionError
            If there is no such direction, or the frames are none of the movie or do
            not follow one another; and if the objects are no whole numbers.
        """
        movie = self.require_movie()
        asked = None if frames is None else asked_stretch(frames, len(movie))
        chosen = None
        if objects is not None:
            chosen = tuple(whole(key, "an object id", OptionError) for key in objects)
        replace = flag(replace, "replace", OptionError)
        request = RunRequest(Direction.of(direction), asked, chosen, replace)
        # Points that were added a moment ago count.
        self.read()
        self.conductor.propagate(request)

    def correct(self) -> None:
        """Mend the labels around points that were added since the last run.

        This starts by itself a moment after a point was added. Here it starts at once,
        in the background, and corrections that `stop` or an error has kept from
        beginning are taken up again. Few frames are computed anew: those around the
        points, as far as their result changes. Frames painted by hand and the labels
        of others stay.

        Raises
        ------
        MovieError
            If no movie is chosen.
        PromptError
            If there is no new point on a frame that the last run of its object has
            come to, or if other points of the object were moved or removed since.
        """
        self.require_movie()
        self.read()
        self.conductor.correct()
        if not self.conductor.corrections:
            raise PromptError(
                "there is nothing to mend: add a point on a frame that a run has "
                "labelled, or propagate"
            )

    def stop(self) -> None:
        """Stop the run or correction; frames that are done stay."""
        self.conductor.stop()

    def wait(self, timeout: float = 600) -> None:
        """Keep the window alive until runs and previews are done.

        Parameters
        ----------
        timeout : float, default 600
            Seconds.

        Raises
        ------
        TimeoutError
            If they are not done by then.
        SamDecoderError
            What went wrong in the background meanwhile.
        """
        is_done = wait_until(lambda: self.is_idle, timeout)
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        if not is_done:
            raise TimeoutError(f"not done after {timeout:g} seconds")
