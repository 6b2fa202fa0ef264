from __future__ import annotations

from argparse import ArgumentTypeError
from pkgutil import resolve_name

import pytest
from ablation import PARTS, Change


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_left_out_for_as_long_as_it_is_measured(part: str) -> None:
    before = {target: resolve_name(target) for target in PARTS[part]}
    with Change.without(part).made():
        left_out = {target: resolve_name(target) for target in PARTS[part]}
    assert left_out == PARTS[part]
    assert all(left_out[target] is not whole for target, whole in before.items())
    assert {target: resolve_name(target) for target in PARTS[part]} == before


def test_a_constant_has_another_number_for_as_long_as_it_is_measured() -> None:
    from napari_sam_decoder.propagation import track

    change = Change.of_constant("propagation.track.DOUBTING=0.25")
    before = track.DOUBTING
    with change.made():
        assert track.DOUBTING == 0.25
    assert before == track.DOUBTING
    assert change.name == "DOUBTING=0.25"


def test_a_whole_number_stays_one() -> None:
    change = Change.of_constant("appearance.label_propagation.NEIGHBOURS=4")
    (number,) = change.replaced.values()
    assert isinstance(number, int)
    assert change.name == "NEIGHBOURS=4"


@pytest.mark.parametrize(
    "text",
    [
        "propagation.track.DOUBTING",
        "propagation.track.DOUBTING=much",
        "propagation.track.NOTHING=1",
        "propagation.nowhere.DOUBTING=1",
        "propagation.track.Track=1",
    ],
)
def test_what_is_no_constant_is_refused(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"MODULE\.CONSTANT=NUMBER"):
        Change.of_constant(text)
