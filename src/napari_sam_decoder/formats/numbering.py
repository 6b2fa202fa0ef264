"""What the names of pictures in a folder count beside the frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CHANNELS", "DEPTHS", "POSITIONS", "Counter", "groups_of", "kinds_of"]

MOST_WITHOUT_FRAMES = 8
"""Of more names that differ in a single number, the number counts the frames."""


@dataclass(frozen=True)
class Counter:
    """Words that stand before a number, and say what it counts.

    Attributes
    ----------
    sure : tuple of str
        Words that say so by themselves.
    likely : tuple of str
        Words that say so where several names differ in nothing else.
    """

    sure: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()

    def find(self, name: str) -> re.Match[str] | None:
        """Find the number with its word, and the letters that follow it."""
        words = (*self.sure, *self.likely)
        matches = _NUMBER.finditer(name)
        return next((one for one in matches if one[1].lower() in words), None)


CHANNELS = Counter(("ch", "chan", "channel", "wavelength"), ("c", "w", "wave"))
POSITIONS = Counter(
    (), ("s", "p", "xy", "pos", "position", "site", "field", "fov", "series", "scene")
)
DEPTHS = Counter((), ("z", "slice", "plane", "depth"))

# As in "Ch0", "_w1DAPI", "channel_2", "C1-" and "t001c1".
_NUMBER = re.compile(r"([^\W\d_]*)[ _\-=]?\d+(?:[^\W\d_]+(?![^\W_]))?")


def groups_of(names: Sequence[str], counter: Counter) -> Mapping[str, Sequence[str]]:
    """Sort names by what a number in them counts, where another one counts frames.

    Parameters
    ----------
    names : sequence of str
        Of the pictures in a folder.
    counter : Counter
        What the number would count.

    Returns
    -------
    mapping of str to sequence of str
        By how the number is written, such as "Ch0" or "w1DAPI"; empty if there are
        no several groups.
    """
    matches = [counter.find(name) for name in names]
    found = [match for match in matches if match is not None]
    keys = [match[0] for match in found]
    if len(found) < len(names) or len(set(keys)) < 2:
        return {}
    frames = {f"{one.string[: one.start()]}*{one.string[one.end() :]}" for one in found}
    is_sure = all(match[1].lower() in counter.sure for match in found)
    if len(frames) == 1:
        is_group = is_sure and len(names) <= MOST_WITHOUT_FRAMES
    else:
        is_group = is_sure or len(frames) < len(names)
    return _sorted_by(keys, names) if is_group else {}


def kinds_of(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Sort names that differ in more than numbers, where each kind has the same ones.

    Parameters
    ----------
    names : sequence of str
        Such as "001_DAPI.tif", "001_GFP.tif", "002_DAPI.tif" and "002_GFP.tif".

    Returns
    -------
    mapping of str to sequence of str
        By the part in which they differ; empty if there is but one kind.
    """
    wordings = [re.sub(r"\d+", "*", name) for name in names]
    numbers: dict[str, set[tuple[str, ...]]] = {}
    for name, wording in zip(names, wordings, strict=True):
        numbers.setdefault(wording, set()).add(tuple(re.findall(r"\d+", name)))
    counted = list(numbers.values())
    are_alike = all(found == counted[0] for found in counted)
    if len(counted) < 2 or len(counted[0]) < 2 or not are_alike:
        return {}
    called = _differences(list(numbers))
    return _sorted_by([called[wording] for wording in wordings], names)


def _differences(wordings: Sequence[str]) -> dict[str, str]:
    """Reduce wordings to the words in which they differ."""
    split = [re.split(r"([\W_]+)", wording) for wording in wordings]
    fewest = min(map(len, split)) - 1
    first = last = 0
    while first < fewest and len({words[first] for words in split}) == 1:
        first += 1
    while last < fewest - first and len({words[-1 - last] for words in split}) == 1:
        last += 1
    parts = ["".join(words[first : len(words) - last]) for words in split]
    parts = [part.strip("*_-. ") for part in parts]
    is_clear = all(parts) and len(set(parts)) == len(parts)
    return dict(zip(wordings, parts if is_clear else wordings, strict=True))


def _sorted_by(keys: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {key: [] for key in sorted(set(keys))}
    for key, name in zip(keys, names, strict=True):
        groups[key].append(name)
    return groups
