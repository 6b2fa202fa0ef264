from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from napari_sam_decoder.propagation.kept import Kept


def test_each_value_is_made_once():
    made = []
    kept = Kept(lambda *key: made.append(key) or sum(key), 2)
    assert [kept(1, 2), kept(3, 4), kept(1, 2)] == [3, 7, 3]
    assert made == [(1, 2), (3, 4)]


def test_the_oldest_goes_first_even_if_it_was_used_last():
    made = []
    kept = Kept(lambda key: made.append(key), 2)
    for key in (1, 2, 1, 3, 2, 1):
        kept(key)
    assert made == [1, 2, 3, 1]


def test_who_asks_meanwhile_waits_for_the_value():
    asked, may_go_on, made = Event(), Event(), []

    def make(key):
        made.append(key)
        asked.set()
        may_go_on.wait(10)
        return object()

    kept = Kept(make, 1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept, 0)
        assert asked.wait(10)
        second = pool.submit(kept, 0)
        may_go_on.set()
        assert first.result() is second.result()
    assert made == [0]


def test_errors_are_not_kept():
    errors = [ValueError("first"), None]

    def make(_):
        error = errors.pop(0)
        if error:
            raise error
        return 5

    kept = Kept(make, 1)
    with pytest.raises(ValueError, match="first"):
        kept(0)
    assert kept(0) == 5
