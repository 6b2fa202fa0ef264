"""The names that the reference must hold, and where their pages are.

The build fails where a public name is not documented. A name in single backticks in a
docstring becomes a link where it has a page, and stays plain code where it is private.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sphinx.util import logging

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

__all__ = ["homes_of_public_names", "setup"]

PACKAGE = "napari_sam_decoder"

logger = logging.getLogger(__name__)


def homes_of_public_names() -> dict[str, str]:
    """Map each public name to the full name under which it is documented."""
    return {name: f"{PACKAGE}.{name}" for name in import_module(PACKAGE).__all__}


def setup(app: Sphinx) -> dict[str, Any]:
    """Look at the names once all pages have been read."""
    app.connect("env-check-consistency", _require_public_names)
    app.connect("missing-reference", _leave_private_name_plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _require_public_names(app: Sphinx, env: BuildEnvironment) -> None:
    del app
    for name in homes_of_public_names().values():
        if name not in env.domains.python_domain.objects:
            logger.warning("%s is public but not documented", name)


def _leave_private_name_plain(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Pages use stricter roles than py:obj, which is that of plain backticks."""
    del app, env
    return content if node.get("reftype") == "obj" else None
