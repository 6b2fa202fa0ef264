"""Count what of the package runs between a click in the window and its mask.

Whoever wants to understand a click, or a correction, has to read what is counted here.
Needs a display:

    xvfb-run -a python benchmarks/code_path.py [--list]
"""

from __future__ import annotations

import argparse
import ast
import os
import statistics
import sys
import tempfile
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

FRAME, CELL, NEIGHBOUR = 29, 4, 1
"""Of the sample movie; the neighbour is added to the cell as a correction."""

PATIENCE_S = 120


class CallTrace:
    """The functions of a package that ran, in whichever thread.

    Parameters
    ----------
    package : Path
        Its folder.
    """

    def __init__(self, package: Path) -> None:
        self._start = f"{package}{os.sep}"
        self._functions: set[CodeType] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record what runs, here and in threads that start meanwhile."""
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(self._start)
        if event == "call" and is_ours and not code.co_name.startswith("<"):
            self._functions.add(code)

    def modules(self) -> Counter[str]:
        """Count the functions that ran, by module."""
        files = (one.co_filename.removeprefix(self._start) for one in self._functions)
        return Counter(file.replace(os.sep, "/") for file in files)


def function_lengths(package: Path) -> list[int]:
    """Count the lines of each function of a package, docstrings left out."""
    lengths = []
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1:] if ast.get_docstring(node) else node.body
                start = first[0].lineno if first else node.body[-1].lineno
                signature = node.body[0].lineno - node.lineno
                lengths.append(signature + (node.end_lineno or start) - start + 1)
    return lengths


def trace_window(package: Path) -> dict[str, Counter[str]]:
    """Click a cell in a window, run over a few frames, and correct one of them."""
    import napari

    from napari_sam_decoder import load_sample

    sample = load_sample("cells")
    viewer = napari.Viewer()
    viewer.add_image(sample.frames, name="cells")
    _, dock = viewer.window.add_plugin_dock_widget(
        "napari-sam-decoder", "Segment through a movie"
    )
    bench = dock.workbench

    def click(frame: int, cell: int) -> Counter[str]:
        viewer.dims.set_point(0, frame)
        bench.wait(PATIENCE_S)
        rows, columns = (sample.truth[frame] == cell).nonzero()
        middle = len(rows) // 2
        trace = CallTrace(package)
        with trace.running():
            bench.points_layer.add((frame, rows[middle], columns[middle]))
            bench.wait(PATIENCE_S)
        return trace.modules()

    # A thread that is at work already would not be traced.
    bench.stop_embedding()
    bench.new_object()
    # The first click loads the network and opens the cache.
    click(FRAME - 1, CELL)
    paths = {"click": click(FRAME, CELL)}
    bench.propagate(frames=range(FRAME - 3, FRAME + 6))
    bench.wait(PATIENCE_S)
    before = viewer.layers["SAM labels"].data.copy()
    paths["correction"] = click(FRAME + 3, NEIGHBOUR)
    if (viewer.layers["SAM labels"].data == before).all():
        raise SystemExit("the correction has changed nothing")
    viewer.close()
    return paths


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="name the modules")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "NAPARI_SAM_DECODER_CACHE": f"{folder}/cache",
            "NAPARI_SAM_DECODER_PROJECTS": f"{folder}/projects",
            "NAPARI_CONFIG": "",
        }
        import napari_sam_decoder

        package = Path(napari_sam_decoder.__file__).parent
        for name, modules in trace_window(package).items():
            print(f"{name}: {len(modules)} modules, {modules.total()} functions")
            if arguments.list:
                for module, count in sorted(modules.items()):
                    print(f"  {count:4} {module}")
    lengths = sorted(function_lengths(package))
    tenth = lengths[int(0.9 * len(lengths))]
    print(f"modules in the package: {len(list(package.rglob('*.py')))}")
    print(f"lines of a function: median {statistics.median(lengths)}, p90 {tenth}")


if __name__ == "__main__":
    main()
