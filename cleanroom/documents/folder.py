"""A folder of YAML files → the policy in it. All that is wrong with its documents is told at once, with file and line."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cleanroom.documents import kinds
from cleanroom.documents.analysis_rule import with_grains
from cleanroom.documents.check import check_folder
from cleanroom.documents.fields import kind_of
from cleanroom.documents.flaws import spell
from cleanroom.documents.yaml_tree import MOST_BYTES, YamlDocument, read_yaml
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import (
    AnalysisRule,
    Collaboration,
    Connection,
    Dataset,
    PolicyFolder,
    PolicyTest,
    Template,
)

MOST_FILES = 1_000
_SUFFIXES = (".yaml", ".yml")
_BUCKETS = ("collaborations", "connections", "datasets", "rules", "templates", "tests")
_LEADS_TO_A_DOCUMENT = re.compile(r"(?:^|\.)(?:connection|dataset|collaboration)\Z")


@dataclass(frozen=True, slots=True)
class _Read:
    """A document that could be understood, and where it stands."""

    value: kinds.Value
    file: str
    document: YamlDocument


@dataclass(slots=True)
class _Findings:
    documents: list[_Read] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_folder(path: Path) -> PolicyFolder:
    """Every document of the *.yaml and *.yml files below the folder, each right by itself.

    Roots of connections are absolute: resolved against the file that names them. Names that begin with a dot are passed
    over. How documents fit each other is `check_folder`'s to say.

    Raises InvalidInput where a document is wrong by itself: with every problem, by file and line, those of documents
    beside each other included.
    """
    found = _Findings()
    if not path.is_dir():
        raise InvalidInput(
            (Problem("policy.no_folder", "there is no such folder", hint="name a folder of *.yaml files"),)
        )
    root = Path(os.path.realpath(path))
    files = sorted(_files(root, found.problems))
    if not files and not found.problems:
        hint = "write a document with kind: Collaboration into a file that ends in .yaml"
        found.problems.append(Problem("policy.empty", "the folder holds no *.yaml file", hint=hint))
    if len(files) > MOST_FILES:
        raise InvalidInput((Problem("policy.too_large", f"the folder holds more than {MOST_FILES:,} files"),))
    for file in files:
        _read_file(file, root, found)
    folder = _folder(found.documents)
    if found.problems:
        raise InvalidInput(_all_problems(found.problems, folder))
    return folder


def _all_problems(problems: list[Problem], folder: PolicyFolder) -> tuple[Problem, ...]:
    """The problems and those of the folder as far as it was understood, without the names that may only be unread."""
    beside = (
        p
        for p in check_folder(folder)
        if p.code != "policy.unknown_name" or not _LEADS_TO_A_DOCUMENT.search(p.field or "")
    )
    return tuple(sorted(dict.fromkeys([*problems, *beside]), key=lambda p: (p.file or "", p.line or 0)))


def _files(root: Path, problems: list[Problem]) -> Iterator[Path]:
    """The files to read. A link is followed where it stays in the folder; to a folder never."""
    for here, folders, names in os.walk(root, onerror=lambda error: problems.append(_unreadable(root, error))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(here) / name).is_symlink():
                problems.append(_outside(Path(here) / name, root, "a link to a folder is not followed"))
        for name in sorted(names):
            file = Path(here) / name
            if name.startswith(".") or file.suffix.lower() not in _SUFFIXES:
                continue
            if not Path(os.path.realpath(file)).is_relative_to(root):
                problems.append(_outside(file, root, "the link leads out of the folder"))
            else:
                yield file


def _unreadable(root: Path, error: OSError) -> Problem:
    place = _relative(Path(error.filename), root) if isinstance(error.filename, str) else None
    return Problem("policy.unreadable", "it cannot be read", place, hint="check that it is there, and its permissions")


def _outside(file: Path, root: Path, message: str) -> Problem:
    return Problem("policy.outside_folder", message, _relative(file, root), hint="copy the file into the folder")


def _relative(file: Path, root: Path) -> str:
    """The file's place in the folder, in characters that any terminal and any JSON can hold."""
    return file.relative_to(root).as_posix().encode("utf-8", "backslashreplace").decode()


def _read_file(file: Path, root: Path, found: _Findings) -> None:
    name = _relative(file, root)
    try:
        data = _bytes(file)
    except OSError as error:
        found.problems.append(_unreadable(root, OSError(error.errno, "", str(file))))
        return
    documents, problems = read_yaml(data)
    found.problems.extend(replace(p, file=name) for p in problems)
    for document in documents:
        _read_document(document, file, name, found)


def _bytes(file: Path) -> bytes:
    """At most one byte more than a file may have; OSError for what is no regular file, without waiting for it."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError
        return opened.read(MOST_BYTES + 1)


def _read_document(document: YamlDocument, file: Path, name: str, found: _Findings) -> None:
    if not isinstance(document.value, Mapping):
        empty = document.value is None
        message = "the document is empty" if empty else f"a document is a mapping, not {kind_of(document.value)}"
        hint = "remove the --- before it" if empty else "write each document on its own, with --- between them"
        found.problems.append(
            Problem("policy.empty" if empty else "policy.syntax", message, name, document.line, hint=hint)
        )
        return
    reading = kinds.read(document.value)
    for path, problem in reading.problems:
        found.problems.append(replace(problem, file=name, line=document.line_of(path)))
    if isinstance(reading.value, Connection):
        _add_connection(reading.value, file, _Read(reading.value, name, document), found)
    elif reading.value is not None:
        found.documents.append(_Read(reading.value, name, document))


def _add_connection(value: Connection, file: Path, read: _Read, found: _Findings) -> None:
    try:
        root = str((file.parent / value.options["root"]).resolve())
    except (OSError, RuntimeError, ValueError):
        line = read.document.line_of(("options", "root"))
        message, hint = "the root cannot be found: its links go round in a circle", "name the folder itself"
        found.problems.append(Problem("policy.invalid_value", message, read.file, line, "options.root", hint))
        return
    found.documents.append(replace(read, value=replace(value, options={**value.options, "root": root})))


def _folder(documents: list[_Read]) -> PolicyFolder:
    datasets = {d.value.name: d.value for d in documents if isinstance(d.value, Dataset)}
    bucketed: dict[str, list[_Read]] = {bucket: [] for bucket in _BUCKETS}
    for read in documents:
        bucketed[_bucket(read.value)].append(read)
    return PolicyFolder(
        collaborations=tuple(r.value for r in bucketed["collaborations"] if isinstance(r.value, Collaboration)),
        connections=tuple(r.value for r in bucketed["connections"] if isinstance(r.value, Connection)),
        datasets=tuple(r.value for r in bucketed["datasets"] if isinstance(r.value, Dataset)),
        rules=tuple(_settled(r.value, datasets) for r in bucketed["rules"] if isinstance(r.value, AnalysisRule)),
        templates=tuple(r.value for r in bucketed["templates"] if isinstance(r.value, Template)),
        tests=tuple(_placed(r.value, r) for r in bucketed["tests"] if isinstance(r.value, PolicyTest)),
        places={
            ".".join(filter(None, (f"{bucket}[{i}]", spell(path)))): (read.file, line)
            for bucket, reads in bucketed.items()
            for i, read in enumerate(reads)
            for path, line in read.document.lines.items()
        },
    )


def _bucket(value: kinds.Value) -> str:
    match value:
        case Collaboration():
            return "collaborations"
        case Connection():
            return "connections"
        case Dataset():
            return "datasets"
        case AnalysisRule():
            return "rules"
        case Template():
            return "templates"
        case PolicyTest():
            return "tests"


def _settled(rule: AnalysisRule, datasets: Mapping[DatasetName, Dataset]) -> AnalysisRule:
    dataset = datasets.get(rule.dataset)
    return with_grains(rule, dataset) if dataset else rule


def _placed(test: PolicyTest, read: _Read) -> PolicyTest:
    cases = tuple(replace(c, line=read.document.line_of(("cases", i))) for i, c in enumerate(test.cases))
    return replace(test, cases=cases, file=read.file)
