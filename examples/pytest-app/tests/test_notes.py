import itertools
import zlib

import pytest

from notes import MilvusError, Notes

DIMENSION = 64
counter = itertools.count()


def embed(text):
    """Words as directions: the same text always gives the same vector."""
    vector = [0.0] * DIMENSION
    for word in text.lower().replace(".", "").split():
        vector[zlib.crc32(word.encode()) % DIMENSION] += 1.0
    return vector


@pytest.fixture
def notes(milvus):
    """A collection of its own for each test."""
    found = Notes(milvus, f"notes_{next(counter)}", DIMENSION, embed)
    found.add(
        {"id": 1, "topic": "kitchen", "text": "Knead the bread dough and bake it in a hot oven."},
        {"id": 2, "topic": "kitchen", "text": "Simmer the soup of tomatoes and basil slowly."},
        {"id": 3, "topic": "garden", "text": "Prune the roses in early spring."},
    )
    return found


def ids(found):
    return [note["id"] for note in found]


def test_finds_what_a_question_is_about(notes):
    assert ids(notes.find("bake bread in the oven"))[0] == 1
    assert ids(notes.find("roses in spring", limit=1)) == [3]


def test_finds_in_one_topic(notes):
    assert ids(notes.find("roses", topic="garden")) == [3]
    assert sorted(ids(notes.find("roses", topic="kitchen"))) == [1, 2]
    assert notes.find("roses", topic='a "quoted" topic') == []


def test_sees_what_was_replaced_and_removed(notes):
    notes.add({"id": 2, "topic": "garden", "text": "Prune the roses in early spring."})
    assert sorted(ids(notes.find("prune roses in spring", limit=2))) == [2, 3]
    notes.remove(2, 3)
    assert ids(notes.find("prune roses in spring")) == [1]


def test_ids_are_exact(notes):
    notes.add({"id": 2**53 + 1, "topic": "numbers", "text": "beyond doubles"})
    assert ids(notes.find("doubles", topic="numbers")) == [2**53 + 1]


def test_says_what_was_wrong(notes):
    with pytest.raises(MilvusError, match="100"):
        notes.collection = "nowhere"
        notes.find("anything")
