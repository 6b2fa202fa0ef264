"""Damage as disks, transfers and other programs do it to files, by a seed."""

from __future__ import annotations

import json
import zlib
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_sam_decoder.project.journal_lines import op_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

__all__ = ["damage_files", "damage_ops"]

_NUMBERS = (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01")
_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf")),
    *("", "x", "\0", "nan", [], {}, [[]], {"x": 1}, [1, 2, 3]),
)


def damaged(content: bytes, chance: Random) -> bytes:
    """Return content with one to four kinds of damage, mostly one."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = chance.choice(_KINDS)(content, chance)
    return content


def damage_files(folder: Path, chance: Random) -> None:
    """Damage a file of a folder, or take it away; seldom two."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            return
        path = chance.choice(files)
        if len(files) > 1 and chance.random() < 0.1:
            path.unlink()
        elif len(files) > 1 and chance.random() < 0.05:
            path.write_bytes(chance.choice(files).read_bytes())
        elif path.suffix == ".json" and chance.random() < 0.7:
            _damage_json(path, chance)
        else:
            path.write_bytes(damaged(path.read_bytes(), chance))


def damage_ops(folder: Path, chance: Random) -> None:
    """Put other values into actions of a project, whose checksums are right."""
    (path,) = folder.glob("*.samproject")
    header, *lines = path.read_bytes().splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(lines))
        op = json.loads(lines[at])
        number = op.pop("n")
        del op["crc"]
        if "packed" in op:
            op["changes"] = json.loads(zlib.decompress(b64decode(op.pop("packed"))))
        changed = _with_another_value(op, chance)
        if (
            isinstance(changed, dict)
            and "op" in changed
            and not {"n", "crc", "packed"} & changed.keys()
        ):
            with suppress(ValueError):
                lines[at] = op_line(number, changed)
    path.write_bytes(header + b"".join(lines))


def _damage_json(path: Path, chance: Random) -> None:
    """Put another value somewhere into a file of JSON, which stays one."""
    with suppress(ValueError):
        content = json.loads(path.read_bytes())
        path.write_text(json.dumps(_with_another_value(content, chance)))


def _with_another_value(content: Any, chance: Random) -> Any:
    holder: dict[str, Any] = {"": content}
    place: Any = holder
    key: Any = ""
    while isinstance(place[key], dict | list) and place[key] and chance.random() < 0.8:
        place = place[key]
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
    if chance.random() < 0.2 and place is not holder:
        del place[key]
    else:
        place[key] = chance.choice(_VALUES)
    return holder[""]


def _place(content: bytes, chance: Random) -> int:
    """Draw a place; every other time near the start or the end, where headers are."""
    size = max(len(content), 1)
    near = min(size, 512)
    return chance.choice(
        (
            chance.randrange(size),
            chance.randrange(size),
            chance.randrange(near),
            size - 1 - chance.randrange(near),
        )
    )


def _cut_off(content: bytes, chance: Random) -> bytes:
    return content[: _place(content, chance)]


def _flip_bits(content: bytes, chance: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8, 64)) if changed else 0):
        changed[_place(content, chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _overwrite(content: bytes, chance: Random) -> bytes:
    """Write small, large or odd numbers over a few bytes."""
    at, size = _place(content, chance), chance.choice((1, 2, 4, 8, 32, 512))
    spoiled = chance.choice((*_NUMBERS, chance.randbytes(1))) * size
    spoiled = chance.choice((spoiled, chance.randbytes(size)))
    return content[:at] + spoiled[: len(content) - at] + content[at + size :]


def _insert(content: bytes, chance: Random) -> bytes:
    at = _place(content, chance)
    return content[:at] + chance.randbytes(chance.choice((1, 4, 100))) + content[at:]


def _leave_out(content: bytes, chance: Random) -> bytes:
    at = _place(content, chance)
    return content[:at] + content[at + chance.choice((1, 2, 4, 512)) :]


def _repeat(content: bytes, chance: Random) -> bytes:
    at, size = _place(content, chance), chance.choice((4, 64, 4096))
    return content[: at + size] + content[at : at + size] + content[at + size :]


def _change_digit(content: bytes, chance: Random) -> bytes:
    """Change a number that is written as text."""
    digits = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
    if not digits:
        return _flip_bits(content, chance)
    at = chance.choice(digits)
    text = chance.choice((b"0", b"9", b"-1", b"1e9", b"99999999999", b"nan", b".", b""))
    return content[:at] + text + content[at + 1 :]


_KINDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _cut_off,
    _flip_bits,
    _flip_bits,
    _overwrite,
    _overwrite,
    _insert,
    _leave_out,
    _repeat,
    _change_digit,
)
