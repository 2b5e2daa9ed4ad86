"""One job on a pipe → one answer, then the end. Started warm, proven hardened, knows no secret and no database."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from cleanroom import broker
from cleanroom.domain.errors import CleanroomError, EngineError
from cleanroom.domain.steps import ReleasedResult
from cleanroom.engines.duckdb import DuckDBEngine, prove
from cleanroom.executor.serving import serve
from cleanroom.executor.wire import Answer, Job, Setup
from cleanroom.storage import opened

_SALT_BYTES = 32


def main() -> None:
    serve(prepare=_prove, answer=answer_to)


def answer_to(setup: Setup, job: Job) -> Answer:
    """The released result, or the code of why there is none. Nothing else of a failure leaves but its class's name."""
    with ExitStack() as files:
        try:
            engine = DuckDBEngine(setup.engine, scratch=Path.cwd())
            files.callback(engine.close)
            sources = {name: opened(source, files) for name, source in job.sources.items()}
            return _released(broker.run(job.plan, engine, sources, job.known_claims), setup.result_bytes)
        except broker.BrokenClaims as error:
            return Answer(error.code, broken=tuple(map(job.plan.claims.index, error.claims)))
        except CleanroomError as error:
            return Answer(error.code, type(error.__context__ or error).__name__)
        except MemoryError:
            return Answer("engine.memory", "MemoryError")
        except Exception as error:
            return Answer("engine.failed", type(error).__name__)


def _released(result: ReleasedResult, maximum_bytes: int) -> Answer:
    """The log shows the digest of these bytes to those who do not receive them: the salt keeps them from guessing."""
    rows = result.rows.replace_schema_metadata({"cleanroom.salt": secrets.token_hex(_SALT_BYTES)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    body = sink.getvalue()
    if body.size > maximum_bytes:
        raise EngineError("The result is too large.", "engine.result_too_large")
    return Answer(None, row_count=rows.num_rows, column_count=rows.num_columns, result=body.to_pybytes())


def _prove(setup: Setup) -> None:
    prove(setup.engine, scratch=Path.cwd())


if __name__ == "__main__":
    main()
