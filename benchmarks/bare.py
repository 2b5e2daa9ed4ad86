"""`python -m benchmarks.bare PORT` → one Flask endpoint that runs a text in DuckDB over the sample files and answers its rows.

What a server without a clean room would be: no rule, no log, no queue, no other process.
"""

from __future__ import annotations

import sys

import duckdb
from flask import Flask, Response, jsonify, request

from cleanroom.api.server import Address, serve
from sample_partners.running import PROJECT


def make_app() -> Flask:
    """The app over a view of the publisher's impressions; each request has a cursor of its own."""
    connection = duckdb.connect(":memory:", config={"threads": 2})
    files = PROJECT / "sample_partners" / "publisher" / "impressions" / "*.parquet"
    connection.execute("CREATE SCHEMA publisher")
    connection.execute(f"CREATE VIEW publisher.impressions AS SELECT * FROM read_parquet('{files}')")
    app = Flask("benchmarks.bare")

    @app.post("/query")
    def query() -> Response:
        rows = connection.cursor().execute(request.get_json()["sql"]).fetchall()
        return jsonify(rows=rows)

    return app


if __name__ == "__main__":
    serve(make_app, Address("127.0.0.1", int(sys.argv[1])))
