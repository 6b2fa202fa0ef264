"""What the mouse does in the picture."""

from __future__ import annotations

from enum import StrEnum

from napari_sam_decoder.errors import OptionError

__all__ = ["SHAPE_MODES", "Tool"]


class Tool(StrEnum):
    """A way to show the current object with the mouse."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    BOX = "box"
    LASSO = "lasso"
    SCRIBBLE = "scribble"
    ERASER = "eraser"

    @classmethod
    def of(cls, name: str) -> Tool:
        """Find a tool by its name.

        Raises
        ------
        OptionError
            If there is none.
        """
        try:
            return cls(name)
        except ValueError:
            known = ", ".join(repr(one.value) for one in cls)
            raise OptionError(f"a tool is one of {known}, not {name!r}") from None

    @property
    def is_scribble(self) -> bool:
        """Whether a stroke of the brush makes a scribble."""
        return self in (Tool.SCRIBBLE, Tool.ERASER)

    @property
    def opposite(self) -> Tool:
        """What shows the background where this one shows the object, or vice versa."""
        return _OPPOSITES.get(self, Tool.NEGATIVE)

    @property
    def is_point(self) -> bool:
        """Whether a click makes a point."""
        return self in (Tool.POSITIVE, Tool.NEGATIVE)


_OPPOSITES = {
    Tool.NEGATIVE: Tool.POSITIVE,
    Tool.SCRIBBLE: Tool.ERASER,
    Tool.ERASER: Tool.SCRIBBLE,
}
SHAPE_MODES = {Tool.BOX: "add_rectangle", Tool.LASSO: "add_polygon_lasso"}
"""What napari calls drawing with each of the tools that make shapes."""
