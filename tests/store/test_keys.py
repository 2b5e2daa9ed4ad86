from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cleanroom.domain.errors import CleanroomError, Conflict, LogError, OperationError
from cleanroom.store.keys import create_key, load_key, load_public_key, public_path


def test_a_key_is_its_owner_s_alone_and_its_public_half_is_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    key = create_key(path, "clean.example/log")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path).text == key.text
    assert load_public_key(public_path(path)) == key.public
    assert sorted(file.name for file in tmp_path.iterdir()) == ["log.key", "log.pub"]


def test_two_keys_are_never_the_same(tmp_path: Path) -> None:
    assert create_key(tmp_path / "a.key", "x").text != create_key(tmp_path / "b.key", "x").text


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    key = create_key(path, "clean.example/log")
    with pytest.raises(Conflict):
        create_key(path, "clean.example/log")
    assert load_key(path).text == key.text
    assert load_public_key(public_path(path)) == key.public


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "log.key"
    create_key(path, "clean.example/log")
    path.chmod(mode)
    with pytest.raises(OperationError) as refusal:
        load_key(path)
    assert refusal.value.code == "log.key_unsafe"


@pytest.mark.parametrize("load", [load_key, load_public_key])
def test_a_key_that_is_not_there_is_told_without_its_place(tmp_path: Path, load: object) -> None:
    with pytest.raises(OperationError) as refusal:
        load(tmp_path / "log.key")  # type: ignore[operator]
    assert refusal.value.code == "log.key_missing"
    assert str(tmp_path) not in refusal.value.message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"PRIVATE+KEY+x+00000000+AA=="])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CleanroomError):
        load_key(path)
    with pytest.raises(CleanroomError):
        load_public_key(path)


def test_a_public_key_is_not_taken_for_the_private_one(tmp_path: Path) -> None:
    path = tmp_path / "log.key"
    create_key(path, "clean.example/log")
    public_path(path).chmod(0o600)
    with pytest.raises(LogError):
        load_key(public_path(path))
