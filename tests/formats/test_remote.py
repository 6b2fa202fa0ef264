"""zarr arrays at an address."""

from __future__ import annotations

import builtins
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import zarr

from napari_sam_decoder import (
    CorrectJob,
    MovieOptions,
    Prompt,
    PromptSet,
    SegmentJob,
    Session,
)
from napari_sam_decoder.errors import FormatError, MissingExtraError, OptionError
from napari_sam_decoder.formats import as_movie_path, is_remote, open_movie
from napari_sam_decoder.jobs.batch.movies import find_movies
from napari_sam_decoder.jobs.train import TrainJob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOVIE = np.random.default_rng(0).integers(0, 4000, (4, 32, 48), np.uint16)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder, and remembers what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    zarr.create_array(
        tmp_path / "movie.zarr",
        data=MOVIE,
        chunks=(1, 16, 16),
        dimension_names=["t", "y", "x"],
    )
    (tmp_path / "notes.txt").write_text("no movie")
    QuietHandler.asked = []
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


@pytest.fixture
def address(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/movie.zarr"


def test_only_what_is_needed_is_fetched(address: str) -> None:
    source = open_movie(address)

    assert (source.axes, source.name, source.data.shape) == (
        "TYX",
        "movie",
        (4, 32, 48),
    )
    QuietHandler.asked.clear()
    np.testing.assert_array_equal(source.data[2, :16, 16:32], MOVIE[2, :16, 16:32])
    assert QuietHandler.asked == ["/movie.zarr/c/2/0/1"]


def test_a_session_on_an_address(address: str) -> None:
    np.testing.assert_array_equal(Session(address, cache=None).movie.raw(3), MOVIE[3])


def test_options_keep_an_address(address: str) -> None:
    options = MovieOptions(address)

    assert str(options.path) == address
    assert is_remote(options.path)
    assert MovieOptions(options.path) == options
    np.testing.assert_array_equal(options.read()[0].raw(1), MOVIE[1])


def test_nothing_at_an_address(address: str) -> None:
    with pytest.raises(FormatError, match=r"no zarr array .* at http.*x, .*check it"):
        open_movie(f"{address}x")
    with pytest.raises(FormatError, match=r"nothing else is read from an address"):
        open_movie(address.replace("movie.zarr", "notes.txt"))


def test_a_server_that_vanishes(server: ThreadingHTTPServer, address: str) -> None:
    source = open_movie(address)
    server.shutdown()
    server.server_close()

    with pytest.raises(FormatError, match=r"cannot read http.*connection.*is kept"):
        source.data[0]
    with pytest.raises(FormatError, match=r"cannot read http.*check the address"):
        open_movie(address)


@pytest.mark.parametrize("protocol", ["http", "https", "ftp"])
def test_a_job_on_a_host_that_cannot_be_reached(tmp_path: Path, protocol: str) -> None:
    labels = tmp_path / "labels.tif"
    labels.touch()

    def start() -> None:
        movie = MovieOptions(f"{protocol}://127.0.0.1:9/movie.zarr", cache=None)
        click = PromptSet([Prompt(1, 0, [(5, 5)])])
        SegmentJob(movie, click, tmp_path / "made.tif").check()
        CorrectJob(movie, labels, click).check()
        TrainJob(movie, labels, tmp_path / "decoder.safetensors").check()
        movie.read()

    with pytest.raises(FormatError, match=r"cannot read .*127.0.0.1.*check the addr"):
        start()


def test_an_address_of_an_unknown_kind() -> None:
    with pytest.raises(OptionError, match=r"gopher2.* starts with https:// or s3://"):
        MovieOptions("gopher2://host/movie.zarr")


def test_a_drive_is_no_address() -> None:
    assert not is_remote(as_movie_path("C://movie.zarr", OptionError))


def test_the_address_of_a_local_file(tmp_path: Path) -> None:
    np.save(tmp_path / "a movie.npy", MOVIE)

    source = open_movie((tmp_path / "a movie.npy").as_uri())

    np.testing.assert_array_equal(source.data[1], MOVIE[1])


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without_upath(name: str, *args: Any, **options: Any) -> Any:
        if name == "upath":
            raise ImportError("No module named 'upath'")
        return whole(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_upath)

    with pytest.raises(MissingExtraError, match=r'pip install "napari-sam-.*\[remote'):
        open_movie("https://host/movie.zarr")


def test_no_batch_of_an_address(address: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is an address, and a batch needs a folder"):
        find_movies(as_movie_path(address, OptionError), "*", tmp_path)
