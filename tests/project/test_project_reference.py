"""The reference of the project file names everything that can be in one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_sam_decoder.project import encoding
from napari_sam_decoder.propagation import ObjectResult

DOCS = Path(__file__).parents[2] / "docs"
if not DOCS.is_dir():
    pytest.skip("there are no docs here", allow_module_level=True)

REFERENCE = (DOCS / "reference" / "project_file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", sorted(encoding._CODECS))
def test_every_table_is_described(table):
    assert re.search(rf"^\| `{table}` \| .+ \| .+ \|$", REFERENCE, re.MULTILINE)


@pytest.mark.parametrize("change", sorted(encoding._DECODERS))
def test_every_change_is_described(change):
    assert f'| `["{change}", ' in REFERENCE


def test_the_figures_of_a_result_are_in_order():
    names = ", ".join(vars(ObjectResult(1, None)))
    names = names.replace("object_id", "object")
    assert names in REFERENCE.replace("\n", " ")
