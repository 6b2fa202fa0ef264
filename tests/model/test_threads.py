from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from napari_sam_decoder.model.threads import use_threads


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
        use_threads(count)
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
            use_threads(count)

    seen = set()
    with ThreadPoolExecutor(1) as own:
        changing = own.submit(change)
        while not changing.done():
            seen.add(ask_newcomer())
    assert seen <= {4}
