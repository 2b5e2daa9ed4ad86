"""A home and an address → gunicorn answering there until it is told to stop. Threads, one process, no access log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask
from gunicorn.app.base import BaseApplication

from cleanroom.api.patience import PatientWorker


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens. Port 0 lets the system choose one."""

    host: str
    port: int


def serve(make_app: Callable[[], Flask], address: Address, *, threads: int = 16, workers: int = 1) -> None:
    """Returns never: serves until SIGTERM or SIGINT, then exits the process.

    `make_app` is called in each worker process, so that no database connection crosses a fork. Keep
    `ApiSettings.most_waiting` below `threads`. The caller has cleared the environment of secrets and set up the logs.
    """
    options = {
        "bind": f"{address.host}:{address.port}",
        "worker_class": PatientWorker,
        "workers": workers,
        "threads": threads,
        "timeout": 120,
        "graceful_timeout": 5,
        "keepalive": 5,
        "sendfile": False,  # it would wait without end for a client that takes nothing
        "limit_request_line": 4094,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "accesslog": None,
        "errorlog": "-",
        "loglevel": "warning",
        "proc_name": "cleanroom-api",
        "control_socket_disable": True,
        "umask": 0o077,
        "forwarded_allow_ips": "",
    }
    _Application(make_app, options).run()


class _Application(BaseApplication):  # type: ignore[misc]
    """gunicorn's application, configured by values alone: no command line, no file, no environment."""

    def __init__(self, make_app: Callable[[], Flask], options: dict[str, object]) -> None:
        self._make_app = make_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()
