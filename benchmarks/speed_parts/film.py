"""A session on textured discs, with its cache in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from napari_sam_decoder import Movie, Prompt, Session
from speed_parts.textures import Repeated, Textures

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam_decoder.model.sam import Sam

__all__ = ["Film", "Patience"]


@dataclass(frozen=True)
class Patience:
    """How long to wait for embeddings.

    Attributes
    ----------
    seconds : float
        No further frame is begun after these.
    frames : int
        So many frames however long they take.
    """

    seconds: float
    frames: int


class Film:
    """Plays textured discs to a session.

    Parameters
    ----------
    textures : Textures
        What is drawn, once and beforehand.
    sam : Sam
        Who looks at it.
    folder : Path
        Where the embeddings go.
    frames : int, optional
        Length of the movie if it is to be repeated.
    """

    def __init__(
        self, textures: Textures, sam: Sam, folder: Path, frames: int | None = None
    ) -> None:
        self._centres = textures.centres(0)
        self.folder = folder
        # Measuring the contrast would read frames that a run does not.
        self.movie = Movie(
            Repeated(textures.draw(), frames or textures.shape[0]), contrast=(0, 255)
        )
        self.session = Session(self.movie, model=sam, cache=folder)

    def embed(self, patience: Patience | None = None) -> int:
        """Compute embeddings from the first frame on; the number of frames."""
        started, count = perf_counter(), 0
        for count, _ in enumerate(self.session.embed(), start=1):
            elapsed = perf_counter() - started
            if patience and count >= patience.frames and elapsed > patience.seconds:
                break
        return count

    def click(self, objects: int) -> None:
        """Point at the first so many discs on the first frame, each once."""
        known = self.session.prompts.object_ids
        for object_id, centre in enumerate(self._centres[:objects], start=1):
            if object_id not in known:
                self.session.add_prompt(Prompt(object_id, 0, [centre]))

    def play(self, frames: range | None = None) -> None:
        """Propagate, and throw the results away."""
        for _ in self.session.propagate(frames):
            pass

    def close(self) -> None:
        """Let go of the cache."""
        self.session.close()
