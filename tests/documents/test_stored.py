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
    SmallGroups,
    Use,
)
from cleanroom.domain.types import DataType, Kind

CASES = Path(__file__).parent / "cases"
CORPUS = Path(__file__).parents[1] / "corpus" / "policies"

_names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
_texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20).filter(
    str.strip
)
_uses = st.none() | st.sampled_from(Grain).map(Use)
_partners = st.frozensets(st.sampled_from(["a", "b-c", "d_e"]).map(PartnerName))
_aggregates = st.sampled_from(sorted(LISTABLE_AGGREGATES))
_columns = (
    st.builds(ColumnRule, group=_uses, filter=_uses, aggregate=st.frozensets(_aggregates))
    | st.builds(
        ColumnRule, aggregate=st.frozensets(_aggregates, min_size=1), minimum_units=st.integers(1_001, 1_000_000_000)
    )
    | st.builds(ColumnRule, join=st.just(True))
)
_pairs = (JoinPartner(DatasetName("b.t"), (("k", "k"),)),)
_joins = (
    st.just(JoinRule())
    | st.just(JoinRule(required=JoinRequirement.BLOCKED))
    | st.frozensets(st.sampled_from(["inner", "left", "semi", "anti"]), min_size=1).map(
        lambda kinds: JoinRule(kinds=kinds, partners=_pairs)
    )
)


@st.composite
def _rules(draw: st.DrawFn) -> AnalysisRule:
    """Any rule that does not contradict itself."""
    columns = draw(st.dictionaries(_names, _columns, max_size=4)) | {"k": ColumnRule(join=True)}
    usable = [name for name, column in columns.items() if column.group or column.filter]
    runners, default = draw(_partners), draw(st.none() | _texts)
    named = draw(st.sampled_from([frozenset(), runners])) if default is None else runners & draw(_partners)
    count_rows = draw(st.booleans())
    return AnalysisRule(
        dataset=DatasetName("a.t"),
        collaboration=CollaborationName("c"),
        minimum_units=draw(st.integers(2, 1000)),
        columns=columns,
        joins=draw(_joins),
        small_groups=draw(st.sampled_from(SmallGroups)),
        count_rows=count_rows,
        functions=draw(st.frozensets(st.sampled_from(sorted(LISTABLE_FUNCTIONS)))),
        query_runners=runners,
        result_receivers=draw(_partners),
        row_filter=default,
        row_filters={runner: draw(_texts) for runner in sorted(named)},
        aggregate_arguments=draw(st.sampled_from(AggregateArguments)),
        per_unit_analysis=count_rows and draw(st.booleans()),
        literals=draw(st.none() | st.frozensets(st.sampled_from(usable or [""])).map(lambda n: n & set(usable))),
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


FILES = {"cases": ("good",), "strict": ("datasets", "strict"), "advanced": ("datasets", "advanced")}


@pytest.mark.parametrize("folder", FILES)
def test_every_document_survives_the_store(folder: str, tmp_path: Path) -> None:
    place = CASES if folder == "cases" else CORPUS / folder
    for name in FILES[folder]:
        (tmp_path / f"{name}.yaml").write_text((place / f"{name}.yaml").read_text())
    read = read_folder(tmp_path)
    for value in (*read.collaborations, *read.connections, *read.datasets, *read.rules):
        assert from_document(json.loads(json.dumps(to_document(value)))) == value


@given(_rules())
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
