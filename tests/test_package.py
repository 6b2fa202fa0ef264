from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import napari_sam_decoder
from napari_sam_decoder import errors

HEAVY = ("torch", "napari", "qtpy", "PyQt6", "PySide6", "dask", "zarr", "skimage")


@pytest.mark.parametrize(
    "statement",
    [
        "import napari_sam_decoder",
        "import napari_sam_decoder.cli.parser as p; p.PROGRAM",
    ],
)
def test_importing_costs_neither_torch_nor_qt(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())


def test_a_session_is_known_without_torch():
    code = (
        "import sys; from napari_sam_decoder import Session, Settings; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False"]


def test_every_public_name_exists():
    for name in napari_sam_decoder.__all__:
        assert getattr(napari_sam_decoder, name) is not None
    assert set(napari_sam_decoder.__all__) <= set(dir(napari_sam_decoder))


PACKAGE = Path(napari_sam_decoder.__file__).parent
REFERENCE = "\n".join(
    page.read_text(encoding="utf-8")
    for page in (Path(__file__).parents[1] / "docs" / "reference").glob("*.md")
)
# Users get it from `load_sam` and pass it on; its methods are not part of the API.
OPAQUE = {"Sam"}
PASSED_ON = {"Answer"}
"""Only handed back to the package, as part of a `Preview`."""


@functools.cache
def classes_in_package():
    trees = [ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")]
    return {
        node.name
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def undocumented_members(name):
    """Members that the reference leaves out on purpose."""
    options = (
        rf":: {name}\n(?:   :.*\n|      .*\n)*?   :exclude-members:(.*(?:\n      .*)*)"
    )
    found = re.search(options, REFERENCE)
    return set(re.findall(r"\w+", found[1])) if found else set()


def annotations_of(node, hidden=()):
    """Expressions of all types in the signature of a function or a class."""
    if isinstance(node, ast.FunctionDef):
        asked = node.args
        named = [*asked.posonlyargs, *asked.args, *asked.kwonlyargs]
        named += [one for one in (asked.vararg, asked.kwarg) if one is not None]
        yield from (one.annotation for one in named if one.annotation is not None)
        if node.returns is not None:
            yield node.returns
    elif isinstance(node, ast.ClassDef):
        for member in node.body:
            name = getattr(member, "name", "") or ast.unparse(
                getattr(member, "target", ast.Name(""))
            )
            is_shown = not name.startswith("_") or name in ("__init__", "__iter__")
            if is_shown and name not in hidden:
                yield from annotations_of(member)
    elif isinstance(node, ast.AnnAssign):
        yield node.annotation


def types_in_signature(name):
    item = getattr(napari_sam_decoder, name)
    tree = ast.parse(Path(inspect.getsourcefile(item)).read_text("utf-8"))
    (node,) = (one for one in tree.body if getattr(one, "name", "") == name)
    return {
        part.id
        for annotation in annotations_of(node, undocumented_members(name))
        for part in ast.walk(annotation)
        if isinstance(part, ast.Name)
    }


@pytest.mark.parametrize("name", sorted({*napari_sam_decoder.__all__} - OPAQUE))
def test_all_types_in_public_signatures_are_public(name):
    ours = types_in_signature(name) & classes_in_package()
    assert ours - PASSED_ON <= set(napari_sam_decoder.__all__)


def test_types_are_found_in_signatures():
    assert {"Itinerary", "EmbeddedFrame", "Sam"} <= types_in_signature("Session")
    assert types_in_signature("open_movie") & classes_in_package() == {"MovieSource"}


def test_all_errors_and_warnings_are_public():
    raised = {
        name
        for name in errors.__all__
        if inspect.isclass(getattr(errors, name))
        and issubclass(getattr(errors, name), Exception)
    }
    assert "PromptError" in raised
    assert raised <= set(napari_sam_decoder.__all__)


@pytest.mark.parametrize("name", napari_sam_decoder.__all__)
def test_every_public_name_is_in_the_reference(name):
    kind = r"auto(?:class|function|exception)"
    assert re.search(rf"\.\. {kind}:: {name}$", REFERENCE, re.MULTILINE)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        napari_sam_decoder.nothing  # noqa: B018


def test_the_package_is_silent_unless_asked() -> None:
    """Not even warnings are shown where nobody has configured logging."""
    script = (
        "import logging, napari_sam_decoder; "
        "logging.getLogger('napari_sam_decoder.cache').warning('heard')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
