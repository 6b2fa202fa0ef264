"""How Sphinx builds the documentation; it needs no network, display or napari."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from numpydoc.xref import DEFAULT_LINKS
from public_names import homes_of_public_names

project = "napari-sam-decoder"
author = "napari-sam-decoder contributors"
project_copyright = f"2026, {author}"
release = installed_version(project)
version = release.partition("+")[0]
language = "en_GB"

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "command_reference",
    "public_names",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_mock_imports = ["app_model", "magicgui", "napari", "qtpy", "superqt"]
autodoc_member_order = "bysource"
# The docstrings say types, shapes and units in words.
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
# numpydoc's own links lead to other projects, whose pages an offline build cannot know.
numpydoc_xref_aliases = {
    **{word: word for word in DEFAULT_LINKS},
    **homes_of_public_names(),
}

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
