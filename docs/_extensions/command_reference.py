"""A directive that lists all commands and options as the parser itself knows them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from napari_sam_decoder.cli.parser import build_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

    Parser = argparse.ArgumentParser

__all__ = ["CommandReference", "setup"]


class CommandReference(SphinxDirective):
    """A section for each command: what it does, its usage and its arguments."""

    def run(self) -> list[nodes.Node]:
        """Walk through the parser, so that no command can be forgotten here."""
        commands = _leaves(build_parser(), summary="")
        return [_section(parser, summary) for parser, summary in commands]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _leaves(parser: Parser, summary: str) -> Iterator[tuple[Parser, str]]:
    """Yield the commands that can be typed to the end, each with its summary."""
    kinds = [
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    if not kinds:
        yield parser, summary
    for kind in kinds:
        for row in kind._choices_actions:
            yield from _leaves(kind.choices[row.dest], row.help or "")


def _section(parser: Parser, summary: str) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(parser.prog)])
    section += nodes.title("", "", nodes.literal("", parser.prog))
    section += nodes.paragraph("", f"{summary[:1].upper()}{summary[1:]}.")
    section += _usage(parser)
    arguments = [action for action in parser._actions if action.dest != "help"]
    if arguments:
        items = [_item(parser, action) for action in arguments]
        section += nodes.definition_list("", *items)
    return section


def _usage(parser: Parser) -> nodes.literal_block:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return nodes.literal_block(usage, usage, language="text", classes=["usage"])


def _item(parser: Parser, action: argparse.Action) -> nodes.definition_list_item:
    values = {**vars(action), "prog": parser.prog}
    meaning = nodes.paragraph("", (action.help or "") % values)
    return nodes.definition_list_item(
        "",
        nodes.term("", "", nodes.literal("", _spelling(action))),
        nodes.definition("", meaning),
    )


def _spelling(action: argparse.Action) -> str:
    metavar = action.metavar or action.dest.upper()
    values = " ".join(metavar) if isinstance(metavar, tuple) else metavar
    if not action.option_strings:
        return values
    names = ", ".join(action.option_strings)
    return names if action.nargs == 0 else f"{names} {values}"
