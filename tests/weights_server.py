"""A publisher of weights on this machine, which answers well or badly."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from napari_sam_decoder.weights.catalogue import ModelRow

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONTENT", "Publisher", "publishing", "toy_row"]

CONTENT = save({"made_up": torch.arange(100_000.0)})
_PIECE = b"\0" * 2**16
_ENDLESS = 10**9


@dataclass
class Publisher:
    """What is sent to whoever asks.

    Attributes
    ----------
    url : str
        Of the file.
    answer : str
        "whole", "wrong" bytes, "broken" off in the middle, "missing", or "endless":
        as slow as it takes to cancel.
    """

    url: str
    answer: str = "whole"


def toy_row(publisher: Publisher) -> ModelRow:
    """Return the entry of a model that is published there."""
    return ModelRow(
        name="toy",
        architecture="vit_t",
        description="Made on the spot.",
        record="http://localhost/record",
        url=publisher.url,
        hash=f"sha256:{hashlib.sha256(CONTENT).hexdigest()}",
        bytes=len(CONTENT),
    )


@contextmanager
def publishing() -> Iterator[Publisher]:
    """Publish until the end of the block."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):
                _answer(self, publisher.answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        publisher = Publisher(f"http://127.0.0.1:{server.server_port}/toy.safetensors")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield publisher
        finally:
            publisher.answer = "over"
            server.shutdown()
            thread.join()


def _answer(request: BaseHTTPRequestHandler, answer: str) -> None:
    if answer == "missing":
        request.send_error(404)
        return
    size = _ENDLESS if answer == "endless" else len(CONTENT)
    request.send_response(200)
    request.send_header("Content-Length", str(size))
    request.end_headers()
    if answer == "endless":
        for _ in range(size // len(_PIECE)):
            request.wfile.write(_PIECE)
            threading.Event().wait(0.005)
    elif answer == "broken":
        request.wfile.write(CONTENT[: size // 2])
    else:
        request.wfile.write(CONTENT if answer == "whole" else b"?" * size)
