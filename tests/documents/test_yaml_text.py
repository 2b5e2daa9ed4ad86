"""Documents as text that people read and the same reader reads back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.documents import read_folder, to_document
from cleanroom.documents.yaml_text import to_yaml
from cleanroom.documents.yaml_tree import read_yaml
from cleanroom.domain.document import documents_of, key_of
from tests.cli.commands import POLICIES

_TEXT = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), max_size=30)
_WORDS = st.sampled_from(
    [
        "yes",
        "no",
        "on",
        "null",
        "~",
        "true",
        "1e3",
        "0o7",
        "0x1f",
        ".5",
        "1_000",
        "2020-01-01",
        "- x",
        "a: b",
        "#",
        "=",
        "*x",
        "&x",
    ]
)
_VALUES = st.recursive(
    st.booleans() | st.integers(-(10**20), 10**20) | _TEXT | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.from_regex(r"[A-Za-z_]{1,8}", fullmatch=True), _VALUES, min_size=1, max_size=4))
def test_whatever_a_document_holds_is_read_back(document: dict[str, Any]) -> None:
    (found,), problems = read_yaml(to_yaml(document).encode())
    assert problems == ()
    assert found.value == document


@pytest.mark.parametrize("value", documents_of(read_folder(POLICIES)), ids=lambda value: str(key_of(value)))
def test_a_sample_document_is_read_back_in_its_order(value: Any) -> None:
    document = to_document(value)
    (found,), _ = read_yaml(to_yaml(document).encode())
    assert found.value == document
    assert list(found.value) == list(document)


def test_a_text_of_several_lines_is_read_back() -> None:
    document: dict[str, Any] = {"row_filter": "consent = TRUE\n  AND region <> 'north'\n"}
    assert read_yaml(to_yaml(document).encode())[0][0].value == document
