from __future__ import annotations

import datetime
import re
from pathlib import Path

from openapi_spec_validator import OpenAPIV31SpecValidator

from cleanroom.api.permissions import ACCESS
from tests.api.conftest import House

HTTP = Path(__file__).parent.parent.parent / "docs" / "http.md"


def test_the_openapi_document_is_valid_and_whole(house: House) -> None:
    document = house.anonymous.get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    described = {
        (path, method) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    routed = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in house.app.url_map.iter_rules()
        if rule.endpoint in {*ACCESS, "health.alive", "health.ready", "metrics.scrape"}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routed
    assert document["openapi"].startswith("3.1")
    default = document["paths"]["/v1/queries"]["get"]["responses"]["default"]
    assert default == {"$ref": "#/components/responses/DEFAULT_ERROR"}
    assert set(document["components"]["responses"]["DEFAULT_ERROR"]["content"]) == {"application/problem+json"}


def test_every_operation_says_what_it_does(house: House) -> None:
    document = house.anonymous.get("/openapi.json").json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert method == "parameters" or operation.get("summary"), (path, method)


def test_the_page_on_http_lists_every_call_once_with_what_it_answers(house: House) -> None:
    paths = house.anonymous.get("/openapi.json").json["paths"]
    answers = {
        f"{method.upper()} {path}": ", ".join(status for status in sorted(operation["responses"]) if status < "300")
        for path, item in paths.items()
        for method, operation in item.items()
        if method != "parameters"
    }
    table = HTTP.read_text(encoding="utf-8").split("## Every call")[1]
    listed = re.findall(r"^\| `(\w+ /\S*)` \| ([\d, ]+) \|", table, re.MULTILINE)
    assert dict(listed) == answers
    assert len(listed) == len(answers)


def test_the_pages_take_nothing_from_elsewhere(house: House) -> None:
    page = house.anonymous.get("/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    for address in named:
        assert address.startswith(("/", "data:")), address
        if address.startswith("/"):
            assert house.anonymous.get(address).status_code == 200
    assert not re.search(r"<script>|onload=|style=", page.text)


def test_the_vendored_assets_carry_their_licence(house: House) -> None:
    assert "Apache License" in house.anonymous.get("/static/swagger-ui/LICENSE").text
    assert house.home.path.is_dir()


def test_healthz_answers_and_readyz_tells_which_part_is_down(house: House) -> None:
    assert house.anonymous.get("/healthz").json == {"status": "ok"}
    down = house.anonymous.get("/readyz")
    assert (down.status_code, down.json["code"]) == (503, "server.not_ready")
    assert down.json["checks"] == {"database": "ok", "executor": "down"}
    executors, now = house.home.drawers.executors, house.home.clock.now
    executors.stamp("one", now())
    assert house.anonymous.get("/readyz").json == {"status": "ready", "checks": {"database": "ok", "executor": "ok"}}
    for minutes in (5, -5):
        executors.stamp("one", now() - datetime.timedelta(minutes=minutes))
        assert house.anonymous.get("/readyz").json["checks"]["executor"] == "down"
    executors.stamp("two", now())
    assert house.anonymous.get("/readyz").status_code == 200
