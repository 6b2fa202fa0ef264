"""What the README and the pages show is true: links, commands, scripts and examples."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_sam_decoder import Prompt, Session, load_sample
from napari_sam_decoder.cli.parser import build_parser

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if "_build" not in path.parts),
]
PROGRAM = "napari-sam-decoder"


def name_of(path):
    return str(path.relative_to(ROOT))


def blocks(page, language):
    """Code blocks of one language, in the order of the page."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text(), re.DOTALL | re.MULTILINE)


def typed_lines():
    """Each line that a page tells its reader to type, with the name of the page."""
    return [
        (name_of(page), line.removeprefix("$ "))
        for page in PAGES
        for block in blocks(page, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]


def test_links_of_the_readme_lead_to_files():
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert links
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_pictures_of_the_readme_load_fast():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert pictures
    sizes = [(ROOT / picture).stat().st_size for picture in pictures]
    assert sum(sizes) < 2.5e6


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize(
    ("page", "line"),
    [(page, line) for page, line in typed_lines() if line.startswith(PROGRAM)],
)
def test_commands_can_be_typed(page, line):
    words = shlex.split(line, comments=True)[1:]
    build_parser().parse_args(words)


def test_scripts_that_pages_name_exist():
    named = {
        (name_of(page), script)
        for page in PAGES
        for script in re.findall(
            r"\b(?:benchmarks|research|docs|examples)/[\w/]+\.py", page.read_text()
        )
    }
    assert named
    assert [pair for pair in sorted(named) if not (ROOT / pair[1]).exists()] == []


def joined_source(folder):
    """The package's source with strings as they read, not as lines break them."""
    text = "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))
    return re.sub(r'"\s*\n\s*f?"', "", text)


def test_messages_that_are_explained_are_those_of_the_program():
    page = (ROOT / "docs/how_to/troubleshooting.md").read_text()
    quoted = re.findall(r'"([^"]+)"', "\n".join(re.findall("^(.*)\n: ", page, re.M)))
    foreign = {"No Qt bindings could be found"}
    pieces = {
        piece.strip()
        for message in set(quoted) - foreign
        for piece in message.split("…")
    }
    assert len(pieces) > 3
    source = joined_source(ROOT / "src")
    assert [piece for piece in sorted(pieces) if piece not in source] == []


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/tutorials/window.md",
        "docs/how_to/own_movie.md",
        "docs/how_to/resume.md",
    ],
)
def test_controls_that_are_named_are_in_the_window(page):
    captions = set(re.findall(r"\*\*([^*]+)\*\*", (ROOT / page).read_text()))
    assert captions
    source = joined_source(ROOT / "src" / "napari_sam_decoder" / "widgets")
    assert [name for name in sorted(captions) if f'"{name}"' not in source] == []


@pytest.fixture(scope="module")
def cells():
    return load_sample("cells").frames[:5]


@pytest.fixture
def names(tmp_path, monkeypatch, tiny_sam, cells):
    """Start where examples start: at a movie, and at what the reader has made of it."""
    monkeypatch.chdir(tmp_path)
    # The real network would take a minute, and give other masks but the same calls.
    monkeypatch.setattr("napari_sam_decoder.session._bundled_model", lambda: tiny_sam)
    tifffile.imwrite("movie.tif", cells, metadata={"axes": "TYX"})
    Path("points.csv").write_text("axis-0,axis-1,axis-2,object_id\n0,100,96,2\n")
    session = Session(cells)
    return {
        "Prompt": Prompt,
        "session": session,
        "labels": np.zeros(session.labels_shape, session.labels_dtype),
        "painted": np.full(cells.shape[1:], 2, np.uint8),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/tutorials/python.md",
        "docs/how_to/correct.md",
        "docs/how_to/masks.md",
        "docs/reference/jobs.md",
    ],
)
def test_examples_run(page, names):
    code = blocks(ROOT / page, "python")
    assert code
    for block in code:
        exec(compile(block, page, "exec"), names)
