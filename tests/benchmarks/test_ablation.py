from __future__ import annotations

from pkgutil import resolve_name

import pytest
from ablation import PARTS, without


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_left_out_for_as_long_as_it_is_measured(part: str) -> None:
    before = {target: resolve_name(target) for target in PARTS[part]}
    with without(part):
        left_out = {target: resolve_name(target) for target in PARTS[part]}
    assert left_out == PARTS[part]
    assert all(left_out[target] is not whole for target, whole in before.items())
    assert {target: resolve_name(target) for target in PARTS[part]} == before
