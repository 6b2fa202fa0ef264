"""Rows of the benchmark as a table to read and as JSON to go on with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["HEADING", "Row", "line", "write_json"]

HEADING = (
    f"{'step':16}{'size':16}{'ours ms':>10}  {'peer':12}{'peer ms':>10}{'ratio':>8}"
)


@dataclass(frozen=True)
class Row:
    """One step of ours against one peer.

    Attributes
    ----------
    step, size : str
        What was measured, and on frames of which size or on how many of what.
    ours_s : float
        Our seconds.
    peer : str or None
        Whom it is compared with, if anybody does the same.
    peer_s : float or None
        The peer's seconds.
    """

    step: str
    size: str
    ours_s: float
    peer: str | None = None
    peer_s: float | None = None

    @property
    def ratio(self) -> float | None:
        """Our time by the peer's; below 1 we are faster."""
        return None if self.peer_s is None else self.ours_s / self.peer_s

    def to_json(self) -> dict[str, Any]:
        """Keys as promised."""
        return {
            "step": self.step,
            "size": self.size,
            "ours_s": self.ours_s,
            "peer": self.peer,
            "peer_s": self.peer_s,
            "ratio": self.ratio,
        }


def line(row: Row) -> str:
    """One line under `HEADING`, - where there is no peer."""
    peer_ms = "-" if row.peer_s is None else f"{1000 * row.peer_s:.1f}"
    ratio = "-" if row.ratio is None else f"{row.ratio:.3f}"
    return (
        f"{row.step:16}{row.size:16}{1000 * row.ours_s:10.1f}  "
        f"{row.peer or '-':12}{peer_ms:>10}{ratio:>8}"
    )


def write_json(path: Path, machine: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write what the machine is, and all rows."""
    content = {"machine": dict(machine), "rows": [row.to_json() for row in rows]}
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
