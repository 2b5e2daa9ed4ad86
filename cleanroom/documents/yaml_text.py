"""A document → YAML text as in a policy folder. `read_yaml` makes an equal document of it."""

from __future__ import annotations

import io
from collections.abc import Mapping

from ruamel.yaml import YAML

from cleanroom.domain.events import Json

_NO_FOLDING = 1 << 20


def to_yaml(document: Mapping[str, Json]) -> str:
    """The document as text, a key a line, in its order: what two versions differ in is seen line by line."""
    writer = YAML(pure=True)
    writer.default_flow_style = False
    writer.width = _NO_FOLDING
    text = io.StringIO()
    writer.dump(dict(document), text)
    return text.getvalue()
