from __future__ import annotations

import copy
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread, current_thread

import pytest
import torch

from napari_sam_decoder.thread_pool import ThreadPool, set_torch_threads


@pytest.fixture
def four_threads():
    usual = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(usual)


def ask_newcomer():
    with ThreadPoolExecutor(1) as newcomer:
        return newcomer.submit(torch.get_num_threads).result()


def mkl_threads():
    """What torch says of MKL, as text; empty where it was built without."""
    lines = torch.__config__.parallel_info().splitlines()
    return [line.split()[-1] for line in lines if "mkl_get_max_threads" in line]


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize("count", [1, 3, 5])
def test_only_the_calling_thread_gets_another_number(count):
    def work():
        set_torch_threads(count)
        others = ask_newcomer()
        return torch.get_num_threads(), mkl_threads(), others

    with ThreadPoolExecutor(1) as own:
        here, products, others = own.submit(work).result()
    assert here == count
    assert products in ([], [str(count)])
    assert others == 4
    assert torch.get_num_threads() == ask_newcomer() == 4


@pytest.mark.usefixtures("four_threads")
def test_newcomers_never_see_it():
    def change():
        for count in (1, 2, 3) * 30:
            set_torch_threads(count)

    seen = set()
    with ThreadPoolExecutor(1) as own:
        changing = own.submit(change)
        while not changing.done():
            seen.add(ask_newcomer())
    assert seen <= {4}


@pytest.mark.parametrize(("most", "count"), [(1, 1), (2, 2), (3, 3), (9, 4)])
def test_no_more_threads_than_torch_has_threads(four_threads, most, count):
    assert ThreadPool(most).workers == count


def test_answers_come_in_the_order_of_the_items(four_threads):
    assert ThreadPool(2).map(lambda item: item * item, range(9)) == [
        k * k for k in range(9)
    ]


def test_items_are_done_side_by_side(four_threads):
    both = Barrier(2, timeout=10)
    ThreadPool(2).map(lambda _: both.wait(), range(2))


@pytest.mark.parametrize("most", [1, 2])
def test_a_single_item_is_done_here(four_threads, most):
    assert ThreadPool(most).map(lambda _: current_thread(), [0]) == [current_thread()]


def test_one_thread_does_all_here(four_threads):
    threads = ThreadPool(1).map(lambda _: current_thread(), range(3))
    assert threads == [current_thread()] * 3


def test_threads_of_torch_are_shared_out_and_others_keep_theirs(four_threads):
    threads = ThreadPool(2)
    assert threads.submit(torch.get_num_threads).result() == 2
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
        ThreadPool(2).map(fail, range(3))
    with pytest.raises(ValueError, match="7"):
        ThreadPool(2).submit(fail, 7).result()


class TestStream:
    def test_answers_come_in_the_order_of_the_items(self, four_threads):
        def slowest_first(item):
            time.sleep(0.02 * (3 - item))
            return item

        assert list(ThreadPool(3).imap(slowest_first, range(4))) == [0, 1, 2, 3]

    def test_as_many_are_under_way_as_there_are_threads(self, four_threads):
        both = Barrier(2, timeout=10)
        assert len(list(ThreadPool(2).imap(lambda _: both.wait(), range(4)))) == 4

    def test_items_are_taken_no_sooner_than_they_are_needed(self, four_threads):
        taken = []
        answers = ThreadPool(2).imap(abs, (taken.append(k) or k for k in range(9)))
        assert (next(answers), taken) == (0, [0, 1])
        assert (next(answers), taken) == (1, [0, 1, 2])

    def test_one_thread_does_all_here(self, four_threads):
        threads = list(ThreadPool(1).imap(lambda _: current_thread(), range(3)))
        assert threads == [current_thread()] * 3

    @pytest.mark.parametrize("most", [1, 2])
    def test_a_single_item_is_done_here(self, four_threads, most):
        answers = ThreadPool(most).imap(lambda _: current_thread(), iter([0]))
        assert list(answers) == [current_thread()]

    def test_nothing_is_nothing(self, four_threads):
        assert list(ThreadPool(2).imap(abs, [])) == []

    def test_closing_waits_for_what_is_under_way(self, four_threads):
        done = []

        def work(item):
            time.sleep(0.05 * item)
            done.append(item)

        answers = ThreadPool(2).imap(work, range(9))
        next(answers)
        answers.close()
        assert done == [0, 1]

    def test_an_error_comes_in_its_turn(self, four_threads):
        def fail_at_one(item):
            if item == 1:
                raise ValueError("one")
            time.sleep(0.05)
            return item

        answers = ThreadPool(2).imap(fail_at_one, range(9))
        assert next(answers) == 0
        with pytest.raises(ValueError, match="one"):
            next(answers)


def test_copies_have_threads_of_their_own(four_threads):
    threads = ThreadPool(2)
    threads.map(abs, range(3))
    for other in (copy.deepcopy(threads), pickle.loads(pickle.dumps(threads))):
        assert other.workers == 2
        assert other.map(abs, [-1, -2]) == [1, 2]
