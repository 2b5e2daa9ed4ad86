"""A connection → a request that arrives in time, or the connection's end. Slow senders hold no thread for long, and no
request that waits for its query holds up the server's end."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from cleanroom.api.context import EXTENSION

ARRIVAL_S = 10.0
"""How long a request may take from its first byte to its last."""

SEND_S = 30
"""How long a client may take nothing of its answer."""


class PatientSocket(socket.socket):
    """A socket whose reading ends at the moment `until` (of time.monotonic), as if the other side had hung up."""

    until = float("inf")

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """What there is; nothing once the time is over."""
        left_s = self.until - time.monotonic()
        before_s = self.gettimeout()
        if before_s is not None and before_s < left_s:
            return super().recv(bufsize, flags)
        if left_s <= 0:
            return b""
        self.settimeout(left_s if left_s != float("inf") else None)
        try:
            return super().recv(bufsize, flags)
        except TimeoutError:
            return b""
        finally:
            self.settimeout(before_s)


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads, none of which waits for a connection that says nothing, or for long for one that says little."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        app = getattr(self, "wsgi", None)  # it may be told to end before it has begun
        if app is not None:
            app.extensions[EXTENSION].stopping.set()
        super().handle_exit(sig, frame)

    def handle(self, conn: Any) -> Any:
        if not isinstance(conn.sock, PatientSocket):
            conn.sock = _patient(conn.sock)
            look = conn.wait_for_data
            conn.wait_for_data = lambda _timeout_s: look(0)  # silent connections wait with the poller, not in a thread
        conn.sock.until = time.monotonic() + ARRIVAL_S
        return super().handle(conn)


def _patient(accepted: socket.socket) -> PatientSocket:
    patient = PatientSocket(fileno=accepted.detach())
    patient.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
    return patient
