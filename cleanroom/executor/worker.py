"""One job on a pipe → one answer, then the end. Started warm, proven hardened, knows no secret and no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from cleanroom import broker
from cleanroom.domain.errors import CleanroomError, EngineError
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.ports import Engine, Source
from cleanroom.domain.steps import Claim, FinalStep, PrivateStep, RawTable, ReleasedResult, ReleasedTable
from cleanroom.engines.duckdb import DuckDBEngine, prove
from cleanroom.executor.serving import serve
from cleanroom.executor.wire import Answer, Job, Setup
from cleanroom.storage import opened


class KnownClaims:
    """An engine that does not check again what is known to hold, and remembers what it found broken."""

    def __init__(self, engine: Engine, known: frozenset[Claim]) -> None:
        self._engine = engine
        self._known = known
        self.found: tuple[Claim, ...] = ()

    def broken(self, claims: Sequence[Claim], sources: Mapping[DatasetName, Source]) -> tuple[Claim, ...]:
        unknown = tuple(claim for claim in claims if claim not in self._known)
        self.found = self._engine.broken(unknown, sources) if unknown else ()
        return self.found

    def run_private(self, step: PrivateStep, sources: Mapping[DatasetName, Source]) -> RawTable:
        return self._engine.run_private(step, sources)

    def run_final(self, step: FinalStep, tables: Mapping[str, ReleasedTable]) -> ReleasedResult:
        return self._engine.run_final(step, tables)

    def close(self) -> None:
        self._engine.close()


def main() -> None:
    serve(prepare=_prove, answer=answer_to)


def answer_to(setup: Setup, job: Job) -> Answer:
    """The released result, or the code of why there is none. Nothing else of a failure leaves but its class's name."""
    engine = KnownClaims(DuckDBEngine(setup.engine, scratch=Path.cwd()), job.known_claims)
    with ExitStack() as files:
        try:
            sources = {name: opened(source, files) for name, source in job.sources.items()}
            return _released(broker.run(job.plan, engine, sources), setup.result_bytes)
        except CleanroomError as error:
            broken = tuple(i for i, claim in enumerate(job.plan.claims) if claim in engine.found)
            return Answer(error.code, type(error.__cause__ or error.__context__ or error).__name__, broken)
        except MemoryError:
            return Answer("engine.memory", "MemoryError")
        except Exception as error:
            return Answer("engine.failed", type(error).__name__)


def _released(result: ReleasedResult, maximum_bytes: int) -> Answer:
    rows = result.rows.replace_schema_metadata(None)
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
