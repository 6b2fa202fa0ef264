"""What workers of a cluster do: parts of a batch, with a network loaded once each."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from distributed import WorkerPlugin, get_worker

from napari_sam_decoder.errors import ClusterError
from napari_sam_decoder.jobs.embed import embed_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from napari_sam_decoder.jobs.batch.records import MovieRecord
    from napari_sam_decoder.jobs.batch.work import MovieWork
    from napari_sam_decoder.jobs.inputs import MovieOptions
    from napari_sam_decoder.model.sam import Sam

__all__ = ["Network", "embed_part", "segment_movie"]


class Network(WorkerPlugin):
    """The network of a worker, loaded when its first task needs it.

    Parameters
    ----------
    load : callable
        Loads it; can be sent to workers.
    identity : str
        What it must be, see `Sam.identity`.
    """

    def __init__(self, load: Callable[[], Sam], identity: str) -> None:
        self.name = f"napari-sam-decoder {identity}"
        self._load, self._identity = load, identity

    def setup(self, worker: object) -> None:
        """Start without a network: a worker that gets no task needs none."""
        del worker
        self._model: Sam | None = None
        self._loading = Lock()

    def model(self) -> Sam:
        """Return the network.

        Raises
        ------
        ClusterError
            If this machine computes in another number type.
        """
        with self._loading:
            model = self._model = self._model or self._load()
        if model.identity != self._identity:
            raise ClusterError(
                f"a worker has the network {model.identity}, but {self._identity} was "
                "asked for; choose a --precision (in Python precision=) that all "
                "machines have"
            )
        return model

    @contextmanager
    def on(self, client: Client) -> Iterator[str]:
        """Have it on all workers, also on those that come later; yields its name."""
        client.register_plugin(self, name=self.name)
        try:
            yield self.name
        finally:
            # A scheduler that has gone needs no tidying up.
            if client.status == "running":
                client.unregister_worker_plugin(self.name)


def embed_part(network: str, movie: MovieOptions) -> None:
    """Embed some frames of a movie; those that are in the cache already are kept.

    Parameters
    ----------
    network : str
        Name of a `Network`.
    movie : MovieOptions
        The movie with its frames to embed, and its cache.
    """
    embed_file(movie, _model(network))


def segment_movie(network: str, work: MovieWork) -> MovieRecord:
    """Segment a movie, and write its results.

    Parameters
    ----------
    network : str
        Name of a `Network`.
    work : MovieWork
        What is to be done.
    """
    return work.segment(_model(network))


def _model(network: str) -> Sam:
    plugin = get_worker().plugins[network]
    model: Sam = plugin.model()
    return model
