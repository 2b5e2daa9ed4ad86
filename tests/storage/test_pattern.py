"""Patterns over a real folder: what they name, and what they refuse to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.domain.errors import SourceError
from cleanroom.storage.pattern import MAXIMUM_FILES, matches, parts_of

FILES = (
    "a.csv",
    "b.parquet",
    "2026/01/x.parquet",
    "2026/02/x.parquet",
    "2026/02/y.parquet",
    ".hidden.parquet",
    "2026/.tmp/z.parquet",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.csv", ["a.csv"]),
        ("./a.csv", ["a.csv"]),
        ("*.csv", ["a.csv"]),
        ("*", ["a.csv", "b.parquet"]),
        ("2026/*/*.parquet", ["2026/01/x.parquet", "2026/02/x.parquet", "2026/02/y.parquet"]),
        ("2026/0[1]/?.parquet", ["2026/01/x.parquet"]),
        ("**/x.parquet", ["2026/01/x.parquet", "2026/02/x.parquet"]),
        ("2026/**", ["2026/01/x.parquet", "2026/02/x.parquet", "2026/02/y.parquet"]),
        ("2026/02/**/y.parquet", ["2026/02/y.parquet"]),
        (".hidden.parquet", [".hidden.parquet"]),
        ("2026", []),
        ("a.csv/*", []),
        ("none/*.parquet", []),
        ("A.CSV", []),
    ],
)
def test_a_pattern_names_the_visible_files_that_match(root: Path, pattern: str, expected: list[str]) -> None:
    assert [str(path.relative_to(root)) for path in matches(root, pattern)] == expected


@pytest.mark.parametrize(
    "pattern", ["/etc/passwd", "../x.csv", "a/../../x.csv", "2026/..", "~/x.csv", "..\\x.csv", "a\0.csv"]
)
def test_a_pattern_that_could_leave_the_root_is_refused(pattern: str) -> None:
    with pytest.raises(SourceError) as refused:
        parts_of(pattern)
    assert refused.value.code == "source.outside_root"


@pytest.mark.parametrize(
    ("pattern", "code"), [("", "source.missing"), (".", "source.missing"), ("**/a/**", "source.unreadable")]
)
def test_a_pattern_that_names_nothing_or_explodes_is_refused(pattern: str, code: str) -> None:
    with pytest.raises(SourceError) as refused:
        parts_of(pattern)
    assert refused.value.code == code


def test_links_within_the_root_are_followed_to_the_real_file_once(root: Path) -> None:
    (root / "current").symlink_to("2026/02")
    (root / "same").symlink_to("2026/02")
    assert [str(p.relative_to(root)) for p in matches(root, "current/*")] == ["2026/02/x.parquet", "2026/02/y.parquet"]
    assert len(matches(root, "[cs]*/*")) == 2


def test_linked_folders_are_passed_over_below_a_double_star(root: Path) -> None:
    (root / "2026/loop").symlink_to("..")
    assert len(matches(root, "2026/**")) == 3


@pytest.mark.parametrize("pattern", ["out.csv", "*.csv", "folder/x.csv", "*/x.csv", "inner/folder/x.csv", "**/out.csv"])
def test_a_link_that_leaves_the_root_is_refused_wherever_it_stands(
    root: Path, tmp_path_factory: pytest.TempPathFactory, pattern: str
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x.csv").write_text("secret")
    (root / "out.csv").symlink_to(outside / "x.csv")
    (root / "folder").symlink_to(outside)
    (root / "inner").mkdir()
    (root / "inner/folder").symlink_to(outside)
    with pytest.raises(SourceError) as refused:
        matches(root, pattern)
    assert refused.value.code == "source.outside_root"


def test_a_link_out_looks_the_same_whether_its_end_exists_or_not(root: Path) -> None:
    (root / "there").symlink_to("/etc/passwd")
    (root / "nowhere").symlink_to("/etc/no-such-file")
    said = []
    for name in ("there", "nowhere"):
        with pytest.raises(SourceError) as refused:
            matches(root, name)
        said.append((refused.value.code, refused.value.message))
    assert said[0] == said[1]


def test_more_files_than_the_limit_are_refused(tmp_path: Path) -> None:
    for number in range(MAXIMUM_FILES + 1):
        (tmp_path / f"{number}.csv").touch()
    with pytest.raises(SourceError) as refused:
        matches(tmp_path, "*.csv")
    assert refused.value.code == "source.unreadable"
