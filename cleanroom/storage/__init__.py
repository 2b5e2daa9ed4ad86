"""Connections → pinned sources. One connector for each connection type; the table below is where the next one is added."""

from __future__ import annotations

from collections.abc import Mapping

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import ConnectionType
from cleanroom.domain.ports import Connector
from cleanroom.storage.files import FilesConnector, opened
from cleanroom.storage.secrets import resolve_secret

__all__ = ["FilesConnector", "connectors", "opened", "resolve_secret"]


def connectors(admitted: Mapping[PartnerName, tuple[str, ...]]) -> Mapping[ConnectionType, Connector]:
    """A connector for every connection type. `admitted`: for each partner what the operator lets its connections reach."""
    return {ConnectionType.FILES: FilesConnector(admitted)}
