"""Addresses of the project in the package's metadata, known only where it is built.

GitHub says in the environment of a workflow which repository it builds; elsewhere the
package names no address.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AddressHook"]


class AddressHook(MetadataHookInterface):
    """Fills in ``[project.urls]``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add what is known to the metadata of the project."""
        metadata["urls"] = addresses(os.environ)


def addresses(environment: Mapping[str, str]) -> dict[str, str]:
    """List the addresses of a repository on GitHub, none where it is not known."""
    host = environment.get("GITHUB_SERVER_URL")
    repository = environment.get("GITHUB_REPOSITORY")
    if not host or not repository:
        return {}
    home = f"{host}/{repository}"
    return {
        "Homepage": home,
        "Source": home,
        "Documentation": f"{home}/tree/main/docs",
        "Issues": f"{home}/issues",
        "Changelog": f"{home}/blob/main/CHANGELOG.md",
    }
