"""Datasets in the store → what is known of where their data is kept, for readiness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Connection, Dataset, PolicyFolder
from cleanroom.rules.readiness import Backing
from cleanroom.store.roots import AdmittedRoots

GivenSecret = Callable[[str], bool | None]
"""A secret's reference → whether it is given; None: not known in this process."""


def backings(folder: PolicyFolder, roots: AdmittedRoots, given: GivenSecret) -> Mapping[DatasetName, Backing]:
    """Of every dataset in the folder; the connections are looked up in it, the roots in the store."""
    connections = {connection.name: connection for connection in folder.connections}
    return {
        dataset.name: _backing(dataset, connections.get(dataset.connection), roots, given)
        for dataset in folder.datasets
    }


def _backing(dataset: Dataset, connection: Connection | None, roots: AdmittedRoots, given: GivenSecret) -> Backing:
    if connection is None or connection.partner != dataset.partner:
        return Backing(connected=False)
    root = PurePosixPath(connection.options["root"])
    admitted = any(root.is_relative_to(PurePosixPath(a)) for a in roots.of(connection.partner))
    secret = None if connection.secret is None else given(connection.secret)
    return Backing(connected=True, admitted=admitted, secret=secret)
