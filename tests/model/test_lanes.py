from __future__ import annotations

import copy
import pickle
from threading import Barrier, Thread, current_thread

import pytest
import torch

from napari_sam_decoder.model.lanes import Lanes


@pytest.fixture
def four_threads():
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(usual)


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 3), (9, 4)])
def test_no_more_lanes_than_torch_has_threads(four_threads, most, count):
    assert Lanes(most).count == count


def test_answers_come_in_the_order_of_the_items(four_threads):
    assert Lanes(2).each(lambda item: item * item, range(9)) == [
        k * k for k in range(9)
    ]


def test_items_are_done_side_by_side(four_threads):
    both = Barrier(2, timeout=10)
    Lanes(2).each(lambda _: both.wait(), range(2))


@pytest.mark.parametrize("most", [1, 2])
def test_a_single_item_is_done_here(four_threads, most):
    assert Lanes(most).each(lambda _: current_thread(), [0]) == [current_thread()]


def test_one_lane_does_all_here(four_threads):
    threads = Lanes(1).each(lambda _: current_thread(), range(3))
    assert threads == [current_thread()] * 3


def test_threads_of_torch_are_shared_out_and_others_keep_theirs(four_threads):
    lanes = Lanes(2)
    assert lanes.start(torch.get_num_threads).result() == 2
    assert torch.get_num_threads() == 4
    seen = []
    new = Thread(target=lambda: seen.append(torch.get_num_threads()))
    new.start()
    new.join()
    assert seen == [4]


def test_errors_reach_the_caller(four_threads):
    def fail(item):
        raise ValueError(item)

    with pytest.raises(ValueError, match="0"):
        Lanes(2).each(fail, range(3))
    with pytest.raises(ValueError, match="7"):
        Lanes(2).start(fail, 7).result()


def test_copies_have_threads_of_their_own(four_threads):
    lanes = Lanes(2)
    lanes.each(abs, range(3))
    for other in (copy.deepcopy(lanes), pickle.loads(pickle.dumps(lanes))):
        assert other.count == 2
        assert other.each(abs, [-1, -2]) == [1, 2]
