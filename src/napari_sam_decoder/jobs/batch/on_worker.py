"""What workers of a cluster do: parts of a batch, with a network loaded once each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING
from uuid import uuid4

from napari_sam_decoder.errors import ClusterError
from napari_sam_decoder.jobs.embed import embed_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_sam_decoder.jobs.batch.records import MovieRecord
    from napari_sam_decoder.jobs.batch.work import MovieWork
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Network", "embed_part", "segment_movie"]


@dataclass(frozen=True)
class Network:
    """The network of a run, which each worker loads once; sent along with each task.

    Attributes
    ----------
    load : callable
        Loads it; can be sent to workers.
    identity : str
        What it must be, see `Sam.identity`.
    run : str
        Another one for each run, whose device or decoder may differ.
    """

    load: Callable[[], Sam] = field(compare=False)
    identity: str = field(compare=False)
    run: str = field(default_factory=lambda: uuid4().hex)

    def on_this_worker(self) -> Sam:
        """Return the network, loaded by the first task that asks.

        Raises
        ------
        ClusterError
            If this machine computes in another number type.
        """
        with _LOADING:
            model = _loaded(self)
        if model.identity != self.identity:
            raise ClusterError(
                f"a worker has the network {model.identity}, but {self.identity} was "
                "asked for; choose a --precision (in Python precision=) that all "
                "machines have"
            )
        return model


_LOADING = Lock()


@lru_cache(maxsize=1)
def _loaded(network: Network) -> Sam:
    return network.load()


def embed_part(network: Network, movie: MovieOptions) -> None:
    """Embed some frames of a movie; those that are in the cache already are kept.

    Parameters
    ----------
    network : Network
        What they are embedded with.
    movie : MovieOptions
        The movie with its frames to embed, and its cache.
    """
    embed_file(movie, network.on_this_worker())


def segment_movie(network: Network, work: MovieWork) -> MovieRecord:
    """Segment a movie, and write its results.

    Parameters
    ----------
    network : Network
        What it is segmented with.
    work : MovieWork
        What is to be done.
    """
    return work.segment(network.on_this_worker())
