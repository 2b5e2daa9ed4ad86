"""What the store keeps: JSON of which an equal value is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.documents import from_document, read_folder, to_document
from cleanroom.domain.errors import OperationError
from cleanroom.domain.functions import LISTABLE_AGGREGATES, LISTABLE_FUNCTIONS
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    AggregateArguments,
    AnalysisRule,
    ColumnRule,
    Dataset,
    DatasetColumn,
    Domain,
    JoinPartner,
    JoinRequirement,
    JoinRule,
    Use,
)
from cleanroom.domain.types import DataType, Kind

CASES = Path(__file__).parent / "cases"
CORPUS = Path(__file__).parents[1] / "corpus" / "policies" / "strict"

_names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
_texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20).filter(
    str.strip
)
_uses = st.none() | st.sampled_from(Grain).map(Use)
_partners = st.frozensets(st.sampled_from(["a", "b-c", "d_e"]).map(PartnerName))
_columns = st.builds(
    ColumnRule, group=_uses, filter=_uses, aggregate=st.frozensets(st.sampled_from(sorted(LISTABLE_AGGREGATES)))
) | st.builds(ColumnRule, join=st.just(True))
_rules = st.builds(
    AnalysisRule,
    dataset=st.just(DatasetName("a.t")),
    collaboration=st.just(CollaborationName("c")),
    minimum_units=st.integers(2, 1000),
    columns=st.dictionaries(_names, _columns, max_size=4),
    joins=st.just(JoinRule()) | st.just(JoinRule(required=JoinRequirement.BLOCKED)),
    count_rows=st.booleans(),
    functions=st.frozensets(st.sampled_from(sorted(LISTABLE_FUNCTIONS))),
    query_runners=_partners,
    result_receivers=_partners,
    row_filter=st.none() | _texts,
    aggregate_arguments=st.sampled_from(AggregateArguments),
)
_types = st.sampled_from(
    [DataType(Kind.BIGINT), DataType(Kind.DECIMAL, 12, 2), DataType(Kind.VARCHAR), DataType(Kind.BOOLEAN)]
)
_dataset_columns = st.lists(
    st.builds(
        DatasetColumn,
        name=_names,
        type=_types,
        nullable=st.booleans(),
        description=st.just("") | _texts,
        unit=st.none() | _texts,
        values=st.none() | st.lists(_texts, min_size=1, max_size=3, unique=True).map(tuple),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda c: c.name,
)


@pytest.mark.parametrize("folder", [CASES, CORPUS], ids=["cases", "corpus"])
def test_every_document_survives_the_store(folder: Path, tmp_path: Path) -> None:
    for file in ("good.yaml",) if folder is CASES else ("datasets.yaml", "strict.yaml"):
        (tmp_path / file).write_text((folder / file).read_text())
    read = read_folder(tmp_path)
    for value in (*read.collaborations, *read.connections, *read.datasets, *read.rules):
        assert from_document(json.loads(json.dumps(to_document(value)))) == value


@given(_rules)
def test_every_rule_survives_the_store(rule: AnalysisRule) -> None:
    assert from_document(json.loads(json.dumps(to_document(rule)))) == rule


def test_pairs_survive_the_store_in_their_order() -> None:
    pairs = (JoinPartner(DatasetName("b.t"), (("z", "y"), ("a", "b"))), JoinPartner(DatasetName("b.u"), (("a", "a"),)))
    columns = {"z": ColumnRule(join=True), "a": ColumnRule(join=True)}
    joins = JoinRule(JoinRequirement.ALL, partners=pairs)
    rule = AnalysisRule(DatasetName("a.t"), CollaborationName("c"), 50, columns, joins)
    assert from_document(json.loads(json.dumps(to_document(rule)))) == rule


@given(_dataset_columns, st.data())
def test_every_dataset_survives_the_store(columns: list[DatasetColumn], data: st.DataObject) -> None:
    names = st.lists(st.sampled_from([c.name for c in columns]), min_size=1, max_size=3, unique=True).map(tuple)
    dataset = Dataset(
        name=DatasetName("a.t"),
        connection=ConnectionName("lake"),
        source="t/*.parquet",
        domain=data.draw(st.sampled_from(Domain)),
        owner="somebody",
        description="",
        privacy_units=data.draw(names),
        unique=tuple(data.draw(st.lists(names, max_size=2, unique=True))),
        columns=tuple(columns),
        service_level=data.draw(st.sampled_from([{}, {"freshness": "24h"}])),
    )
    assert from_document(json.loads(json.dumps(to_document(dataset)))) == dataset


@pytest.mark.parametrize("body", [{}, {"apiVersion": "cleanroom/v1", "kind": "AnalysisRule"}, {"kind": "Template"}])
def test_a_stored_document_that_cannot_be_enforced_is_a_failure(body: dict[str, object]) -> None:
    with pytest.raises(OperationError) as error:
        from_document(body)
    assert error.value.code == "store.document_unreadable"
