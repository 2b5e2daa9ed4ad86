"""YAML 1.2 text → plain values and the line of every key. Bounded in size, depth and expansion, before anything is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from cleanroom.documents.fields import kind_of
from cleanroom.documents.flaws import Path, spell
from cleanroom.domain.errors import Problem

MOST_BYTES = 1 << 20
MOST_NODES = 20_000  # of one document, aliases counted as what they stand for
MOST_NODES_OF_FILE = 100_000
MOST_DOCUMENTS = 1_000
MOST_DEPTH = 24
MOST_KEY = 200

# YAML 1.2.2, section 10.3.2 (core schema)
_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_TRUE = re.compile(r"(?:true|True|TRUE)\Z")
_FALSE = re.compile(r"(?:false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]{1,30}\Z")
_BASED = re.compile(r"(?:0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30})\Z")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document of a file: its value, and path → line (1-based) of every key and entry; () is the document itself."""

    value: Any
    lines: dict[Path, int]

    @property
    def line(self) -> int:
        return self.lines[()]

    def line_of(self, path: Path) -> int:
        """The line of the path, or of what it would stand in."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


@dataclass(slots=True)
class _Node:
    value: Any  # a plain scalar, a list of nodes, or a list of (key, node, line)
    line: int
    size: int
    depth: int = 1
    mapping: bool = False


@dataclass(slots=True)
class _Reader:
    """Where reading is: the events still to come, the anchors of the document, what was found wrong."""

    events: Iterator[Any]
    anchors: dict[str, _Node | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    seen: int = 0  # nodes of the document so far, as written


class _Stop(Exception):
    """The rest of the text cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def read_yaml(data: bytes) -> tuple[tuple[YamlDocument, ...], tuple[Problem, ...]]:
    """The documents of the text, and all that is wrong with it as YAML; problems have no file yet."""
    try:
        text = _decode(data)
        documents, problems = _documents(text)
    except _Stop as stop:
        return (), (stop.problem,)
    if not documents and not problems:
        return (), (_problem("policy.empty", "the file holds no document", 1, "write one, or remove the file"),)
    return documents, problems


def _decode(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise _Stop(_problem("policy.too_large", "the file is larger than 1 MiB", 1, "split it into several files"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Stop(_problem("policy.syntax", "the file is not UTF-8 text", line, "save it as UTF-8")) from None


def _documents(text: str) -> tuple[tuple[YamlDocument, ...], tuple[Problem, ...]]:
    reader = _Reader(iter(YAML(typ="safe", pure=True).parse(text)))
    documents: list[YamlDocument] = []
    nodes = 0
    try:
        for event in reader.events:
            if isinstance(event, DocumentStartEvent):
                document, size = _document(event, reader)
                nodes += size
                if nodes > MOST_NODES_OF_FILE:
                    raise _Stop(_too_many(document.line, "the file", MOST_NODES_OF_FILE))
                documents.append(document)
                if len(documents) == MOST_DOCUMENTS:
                    message = f"the file has {MOST_DOCUMENTS:,} documents or more"
                    raise _Stop(_problem("policy.too_large", message, document.line, "split it into several files"))
    except _Stop as stop:
        reader.problems.append(stop.problem)
    except MarkedYAMLError as error:
        reader.problems.append(_syntax(error))
    except (YAMLError, ValueError, RecursionError, AttributeError, IndexError, AssertionError, KeyError, TypeError):
        # what the scanner raises beside its own errors on text that is no YAML
        reader.problems.append(_problem("policy.syntax", "the text cannot be read as YAML", _odd_line(text), None))
    return tuple(documents), tuple(reader.problems)


def _document(start: DocumentStartEvent, reader: _Reader) -> tuple[YamlDocument, int]:
    line = start.start_mark.line + 1
    if start.tags or (start.version and tuple(start.version) != (1, 2)):
        raise _Stop(_problem("policy.syntax", "%TAG and %YAML other than 1.2 are not read", line, "remove the % line"))
    reader.anchors.clear()
    reader.seen = 0
    node = _node(next(reader.events), reader, 1)
    assert isinstance(next(reader.events), DocumentEndEvent)
    lines: dict[Path, int] = {(): line if node.value is None else node.line}
    return YamlDocument(_plain(node, (), lines, reader), lines), node.size


def _node(event: Any, reader: _Reader, depth: int) -> _Node:
    line = event.start_mark.line + 1
    reader.seen += 1
    if depth > MOST_DEPTH:
        raise _Stop(_too_deep(line))
    if reader.seen > MOST_NODES:
        raise _Stop(_too_many(line, "the document", MOST_NODES))
    if isinstance(event, AliasEvent):
        return _alias(event.anchor, line, reader, depth)
    if event.tag is not None:
        raise _Stop(
            _problem("policy.syntax", "tags (!…) are not read", line, "remove the tag; quote what starts with !")
        )
    if event.anchor:
        reader.anchors[event.anchor] = None
    match event:
        case ScalarEvent():
            node = _Node(_scalar(event.value) if event.implicit[0] else event.value, line, 1)
        case SequenceStartEvent():
            node = _sequence(line, reader, depth)
        case MappingStartEvent():
            node = _mapping(line, reader, depth)
        case _:
            raise _Stop(_problem("policy.syntax", "the text cannot be read as YAML", line, None))
    if node.size > MOST_NODES:
        raise _Stop(_too_many(line, "the document", MOST_NODES))
    if event.anchor:
        reader.anchors[event.anchor] = node
    return node


def _alias(name: str, line: int, reader: _Reader, depth: int) -> _Node:
    found = reader.anchors.get(name)
    if found is None:
        raise _Stop(
            _problem(
                "policy.syntax",
                f"*{name[:40]} names no anchor before it",
                line,
                f"write &{name[:40]} where it is first",
            )
        )
    if depth + found.depth > MOST_DEPTH:
        raise _Stop(_too_deep(line))
    return found


def _sequence(line: int, reader: _Reader, depth: int) -> _Node:
    entries: list[_Node] = []
    size = 1
    while not isinstance(event := next(reader.events), SequenceEndEvent):
        entries.append(_node(event, reader, depth + 1))
        size += entries[-1].size
    return _Node(entries, line, size, 1 + max((e.depth for e in entries), default=0))


def _mapping(line: int, reader: _Reader, depth: int) -> _Node:
    entries: list[tuple[Any, _Node, int]] = []
    size = 1
    while not isinstance(event := next(reader.events), MappingEndEvent):
        key = _node(event, reader, depth + 1)
        value = _node(next(reader.events), reader, depth + 1)
        entries.append((key.value if not key.mapping else {}, value, event.start_mark.line + 1))
        size += 1 + value.size
    return _Node(entries, line, size, 1 + max((v.depth for _, v, _ in entries), default=0), mapping=True)


def _plain(node: _Node, path: Path, lines: dict[Path, int], reader: _Reader) -> Any:
    """The node as a plain value; its lines and wrong keys are noted."""
    if not node.mapping:
        if not isinstance(node.value, list):
            return node.value
        for i, entry in enumerate(node.value):
            lines[(*path, i)] = entry.line
        return [_plain(entry, (*path, i), lines, reader) for i, entry in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key, value, line in node.value:
        if wrong := _wrong_key(key, path, line, found, lines):
            reader.problems.append(wrong)
            continue
        lines[(*path, key)] = line
        found[key] = _plain(value, (*path, key), lines, reader)
    return found


def _wrong_key(key: Any, path: Path, line: int, found: dict[str, Any], lines: dict[Path, int]) -> Problem | None:
    where = spell(path) or None
    if not isinstance(key, str):
        return _problem(
            "policy.syntax", f"a key must be text, not {kind_of(key)}", line, "put the key into quotes", where
        )
    if not key or len(key) > MOST_KEY:
        return _problem("policy.syntax", f"a key must have 1 to {MOST_KEY} characters", line, None, where)
    if key in found:
        first = lines[(*path, key)]
        message = f"`{key}` stands here twice; first on line {first}"
        return _problem("policy.duplicate_key", message, line, "remove one of the two", spell((*path, key)))
    return None


def _scalar(text: str) -> Any:
    """A plain scalar by the core schema of YAML 1.2: `no`, `on` and dates are text."""
    if _NULL.match(text):
        return None
    if _TRUE.match(text) or _FALSE.match(text):
        return bool(_TRUE.match(text))
    if _INT.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text, 0)
    if len(text) < 64 and _FLOAT.match(text):
        return (
            float(text.replace(".inf", "inf").replace(".nan", "nan")) if text[-1].isdigit() or text[-1] == "." else text
        )
    return text


def _syntax(error: MarkedYAMLError) -> Problem:
    """The scanner's error in our words; its own text stays here."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    found = str(error.problem)
    for part, message, hint in _SENTENCES:
        if part in found:
            return _problem("policy.syntax", message, line, hint)
    return _problem("policy.syntax", "the text cannot be read as YAML", line, "check indentation, quotes and brackets")


_SENTENCES = (
    (r"'\t'", "a tab stands where YAML wants spaces", "indent with spaces"),
    (
        "cannot start any token",
        "a value begins with a character that YAML keeps for itself",
        "put the value into quotes",
    ),
    (
        "mapping values are not allowed",
        "a second colon, or wrong indentation",
        "put text that holds a colon into quotes",
    ),
    ("end of stream", "a quote is opened and never closed", "close it"),
    ("<stream end>", "a bracket is opened and never closed", "close it"),
    ("escape character", "an escape that YAML does not know, in double quotes", "use single quotes, or double the \\"),
    ("could not find expected ':'", "a key without its colon", "write key: value"),
    ("<block end>", "indentation does not fit the lines above", "align the keys, and the dashes of a list"),
    ("<document start>", "indentation does not fit the lines above", "align the keys, and the dashes of a list"),
    ("expected ',' or", "a comma or a closing bracket is missing", "write {key: value, key: value} or [one, two]"),
)


def _odd_line(text: str) -> int:
    """The line of the first character that YAML text cannot hold; 1 where there is none."""
    odd = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, odd.start()) + 1 if odd else 1


def _too_deep(line: int) -> Problem:
    return _problem("policy.syntax", f"values are nested deeper than {MOST_DEPTH} levels", line, None)


def _too_many(line: int, what: str, most: int) -> Problem:
    return _problem(
        "policy.too_large",
        f"{what} has more than {most:,} values, aliases written out",
        line,
        "split it, or use fewer aliases",
    )


def _problem(code: str, message: str, line: int, hint: str | None, where: str | None = None) -> Problem:
    return Problem(code, message, line=line, field=where, hint=hint)
