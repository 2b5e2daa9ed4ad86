"""Datasets in the store → what is known of where their data is kept, for readiness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from cleanroom.domain.identifiers import DatasetName, PartnerName
from cleanroom.domain.policy import Connection, Dataset, PolicyFolder
from cleanroom.rules.readiness import Backing
from cleanroom.store.roots import AdmittedRoots
from cleanroom.store.secrets import Secrets

Given = Callable[[PartnerName, str], bool | None]
"""A partner and its reference to a secret → whether that is given; None: not known in this process."""


def given_secrets(secrets: Secrets, environment: Mapping[str, str] | None) -> Given:
    """`store:` references are looked up in the store, `env:` ones in the executor's environment; None: which is elsewhere."""
    stored = {(record.partner, record.name) for record in secrets.list()}

    def given(partner: PartnerName, reference: str) -> bool | None:
        match reference.partition(":"):
            case ("env", _, name):
                return None if environment is None else name in environment
            case ("store", _, name):
                return (partner, name) in stored
        return None

    return given


def backings(folder: PolicyFolder, roots: AdmittedRoots, given: Given) -> Mapping[DatasetName, Backing]:
    """Of every dataset in the folder; the connections are looked up in it, the roots in the store."""
    connections = {connection.name: connection for connection in folder.connections}
    return {
        dataset.name: _backing(dataset, connections.get(dataset.connection), roots, given)
        for dataset in folder.datasets
    }


def _backing(dataset: Dataset, connection: Connection | None, roots: AdmittedRoots, given: Given) -> Backing:
    if connection is None or connection.partner != dataset.partner:
        return Backing(connected=False)
    root = PurePosixPath(connection.options["root"])
    admitted = any(root.is_relative_to(PurePosixPath(a)) for a in roots.of(connection.partner))
    secret = None if connection.secret is None else given(connection.partner, connection.secret)
    return Backing(connected=True, admitted=admitted, secret=secret)
