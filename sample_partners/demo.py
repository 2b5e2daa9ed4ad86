"""`make demo`: a real server in a temporary home, and the story of one afternoon between two companies on it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import dropwhile
from pathlib import Path
from typing import Any

from cleanroom.cli.showing import finding_lines, rendered, result_text, table
from cleanroom.client import Client
from sample_partners.questions import ANSWERED, COLLABORATION, REFUSED, Question
from sample_partners.running import POLICIES, PROJECT, Shell

_WIDTH = 100


def main() -> None:
    """The whole story is on standard output, and nothing of it is left behind."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cleanroom-demo-") as folder:
        tell(Path(folder))
    say(f"That was the whole way, in {time.monotonic() - began:.0f} seconds. `make serve` keeps such a server running.")


def tell(folder: Path) -> None:
    shell = Shell(folder / "home")
    chapter("The operator makes a clean room and applies what the two companies wrote")
    shell.run("init")
    policies = str(POLICIES.relative_to(PROJECT)) if Path.cwd() == PROJECT else str(POLICIES)
    commanded("cleanroom init", "")
    commanded(f"cleanroom apply {policies}", shell.run("apply", policies))
    analyst = shell.run("token", "create", "--partner", "publisher", "--role", "analyst", "--name", "insights").strip()
    auditor = shell.run("token", "create", "--partner", "retailer", "--role", "auditor", "--name", "audit").strip()
    commanded("cleanroom token create --partner publisher --role analyst --name insights", f"{analyst[:12]}…")
    commanded("cleanroom token create --partner retailer --role auditor --name audit", f"{auditor[:12]}…")
    with shell.serving(folder / "server.log") as url:
        commanded("cleanroom serve &", f"Cleanroom answers at {url}")
        with Client(url, analyst) as client:
            chapter("An analyst of the publisher looks at what there is")
            show_catalog(client)
            chapter("She asks, over HTTP")
            for question in ANSWERED:
                ask(client, question)
            chapter("What the owners did not allow is refused before a byte is read")
            be_refused(client, REFUSED)
        with Client(url, auditor) as client:
            chapter("An auditor of the retailer sees who asked what of its data")
            show_log(client.audit())
    chapter("Anybody can prove that nothing was taken out of the log or changed in it")
    commanded("cleanroom audit verify", shell.run("audit", "verify"))


def show_catalog(client: Client) -> None:
    datasets = client.catalog(COLLABORATION)
    columns = (("dataset", ""), ("threshold", "BIGINT"), ("grouped by", ""), ("joined on", ""))
    rows = [
        (
            dataset["name"],
            dataset["minimum_units"],
            ", ".join(_grouped(column) for column in dataset["columns"] if column["allowed"]["group"]),
            ", ".join(column["name"] for column in dataset["columns"] if column["allowed"]["join"]),
        )
        for dataset in datasets
    ]
    say(rendered(table(columns, rows)))


def ask(client: Client, question: Question) -> None:
    began = time.monotonic()
    pose(question)
    query = client.ask(COLLABORATION, question.sql)
    if query.state != "succeeded":
        sys.exit(f"The query {query.id} is {query.state}: {query.failure or [f.code for f in query.findings]}")
    result = client.result(query.id)
    say(f"\n{result_text(result).rstrip()} in {(time.monotonic() - began) * 1000:.0f} ms")
    if question.remark:
        say(f"\n{question.remark}")


def be_refused(client: Client, question: Question) -> None:
    pose(question)
    query = client.ask(COLLABORATION, question.sql)
    if query.state != "rejected":
        sys.exit(f"The query {query.id} should have been refused and is {query.state}.")
    say(f"\nrefused, for {len(query.findings)} reasons:")
    for line in finding_lines(query.findings, question.sql):
        say(line)
    say(f"\n{question.remark}")


def show_log(events: Iterable[dict[str, Any]]) -> None:
    asked = dropwhile(lambda event: not event["kind"].startswith("query."), events)
    rows = [(event["number"], event["at"][:19], event["kind"], _who(event)) for event in asked]
    columns = (("entry", "BIGINT"), ("at", ""), ("what", ""), ("who", ""))
    say(rendered(table(columns, rows)))


def pose(question: Question) -> None:
    say(f"\n-- {question.title}")
    say(question.sql)


def chapter(title: str) -> None:
    say(f"\n{'─' * _WIDTH}\n{title}\n{'─' * _WIDTH}")


def commanded(command: str, printed: str) -> None:
    say(f"$ {command}")
    for line in printed.splitlines():
        say(f"  {line}")


def say(line: str) -> None:
    print(line, flush=True)


def _grouped(column: dict[str, Any]) -> str:
    grain = column["allowed"]["group"]
    return column["name"] if grain == "instant" else f"{column['name']} by {grain}"


def _who(event: dict[str, Any]) -> str:
    """From the entry's canonical text, which is what the log's proof is about."""
    return str(json.loads(event["canonical"])["principal"] or "the server")


if __name__ == "__main__":
    main()
