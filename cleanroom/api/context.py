"""What a view may reach: the home, the settings and who is asking. Set once an app and once a request."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import cast

from flask import current_app, g

from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import Home
from cleanroom.domain.people import Credential
from cleanroom.domain.query import Principal

EXTENSION = "cleanroom"


@dataclass(frozen=True, slots=True)
class Door:
    """The app's own surroundings. `waiting` counts the requests that wait for a query, so that some threads stay free;
    `stopping` is set when the server is to end, so that they wait no longer."""

    home: Home
    settings: ApiSettings
    waiting: threading.BoundedSemaphore
    stopping: threading.Event = field(default_factory=threading.Event)


def door() -> Door:
    """The surroundings of the app that answers now."""
    return cast(Door, current_app.extensions[EXTENSION])


def home() -> Home:
    """The home of the app that answers now."""
    return door().home


def credential() -> Credential:
    """What the caller showed; set before every view that is not public."""
    return cast(Credential, g.credential)


def principal() -> Principal:
    """Who asks; set before every view that is not public."""
    return cast(Principal, g.principal)
