"""The page on collaborations is true: its commands, run one after the other on a real server, print what it says."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from cleanroom.api.app import create_app
from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import Home, init_home
from cleanroom.cli.app import run
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role

PAGE = Path(__file__).parent.parent / "docs" / "collaborations.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^([a-z]+)\$ cleanroom (.*)\n((?:(?![a-z]+\$ ).*\n)*)", re.MULTILINE)
ID = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b")
PARTNERS = ("retailer", "publisher", "agency")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = init_home(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def url(home: Home) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(home, ApiSettings()), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with capture_logs():  # of the server; they would stand between the lines of the commands
        yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _tokens(home: Home) -> dict[str, str]:
    made = {}
    for partner in PARTNERS:
        with home.database.begin() as transaction:
            made[partner], _ = home.drawers.tokens.create(
                transaction, PartnerName(partner), [Role.ADMIN], at=home.clock.now()
            )
    return made


def test_the_story_of_a_collaboration_prints_what_it_says(
    home: Home, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, known = _tokens(home), dict[str, str]()
    monkeypatch.setenv("CLEANROOM_URL", url)
    commands = [c for block in BLOCK.findall(PAGE.read_text()) for c in COMMAND.findall(block)]
    assert len(commands) > 15
    for partner, words, said in commands:
        monkeypatch.setenv("CLEANROOM_TOKEN", tokens[partner])
        run(shlex.split(ID.sub(lambda found: known[found[0]], words)))
        printed = "".join(capsys.readouterr())
        for written, real in zip(ID.findall(said), ID.findall(printed), strict=True):
            assert known.setdefault(written, real) == real
        assert ID.sub("id", printed) == ID.sub("id", said), words
    assert home.drawers.log.verify().holds
