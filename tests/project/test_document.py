from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam_decoder.project import EntryChange, PointRow, RowsChange
from napari_sam_decoder.project.document import Document


class Book:
    """A document that notes what it was told."""

    def __init__(self):
        self.recorded, self.noted = [], []
        self.document = Document(self.recorded.append, self.noted.append)


@pytest.fixture
def book():
    return Book()


def test_what_changes_in_a_table_is_recorded(book):
    table = book.document.table("ids", 1)
    table[3] = "a"
    table[3] = "b"
    table[3] = "b"
    del table[3]
    assert book.recorded == [
        EntryChange("ids", (1,), 3, None, "a"),
        EntryChange("ids", (1,), 3, "a", "b"),
        EntryChange("ids", (1,), 3, "b", None),
    ]
    with pytest.raises(KeyError):
        del table[3]


def test_a_table_is_the_same_one_for_the_same_scope(book):
    assert book.document.table("ids", 1) is book.document.table("ids", 1)
    assert book.document.table("ids", 1) is not book.document.table("ids", 2)
    assert len(book.document.tables) == 2


def test_a_table_may_change_while_it_is_looked_through(book):
    table = book.document.table("ids")
    table.update({1: "a", 2: "b", 3: "c"})
    for key in table:
        del table[key]
    assert not table


def test_entries_keep_their_order_when_they_change(book):
    table = book.document.table("ids")
    table.update({1: "a", 2: "b"})
    table[1] = "c"
    book.document.apply(book.recorded[-1].inverse())
    assert list(table) == [1, 2]


def test_whoever_follows_a_table_hears_what_is_applied_as_well(book):
    table, heard = book.document.table("ids"), []
    table.subscribe(lambda *change: heard.append(change))
    table[1] = "a"
    book.document.apply(EntryChange("ids", (), 1, "a", None))
    assert heard == [(1, None, "a"), (1, "a", None)]
    assert len(book.recorded) == 1


def test_rows_are_recorded_when_they_change(book):
    rows = tuple(PointRow((place,), 1) for place in range(3))
    book.document.set_rows("points", rows)
    book.document.set_rows("points", rows)
    book.document.set_rows("points", rows[1:])
    assert book.recorded == [
        RowsChange("points", 0, (), rows),
        RowsChange("points", 0, rows[:1], ()),
    ]
    assert book.document.rows("points") == rows[1:]
    assert book.document.rows("shapes") == ()


EDITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from("abc") | st.none()),
    max_size=20,
)


@given(EDITS)
def test_what_was_recorded_makes_the_same_document_and_its_inverse_none(edits):
    book, copy = Book(), Book()
    model: dict[tuple[int, int], str] = {}
    for scope, key, value in edits:
        table = book.document.table("ids", scope)
        if value is None:
            table.pop(key, None)
            model.pop((scope, key), None)
        else:
            table[key] = model[scope, key] = value
    assert contents(book) == model
    for change in book.recorded:
        copy.document.apply(change)
    assert contents(copy) == model
    assert copy.recorded == []
    for change in reversed(book.recorded):
        copy.document.apply(change.inverse())
    assert contents(copy) == {}


def contents(book):
    return {
        (*table.scope, key): value
        for table in book.document.tables
        for key, value in table.items()
    }
