from __future__ import annotations

import pytest

from cleanroom.audit.keys import parse_signing_key, parse_verifying_key, signing_key
from cleanroom.domain.errors import LogError
from tests.audit.logs import KEY

# The key pair and signature of the documentation of golang.org/x/mod/sumdb/note.
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"


def test_keys_are_written_as_other_programs_write_them() -> None:
    key = parse_signing_key(PRIVATE)
    assert (key.name, key.text, str(key.public)) == ("PeterNeumann", PRIVATE, PUBLIC)
    assert parse_verifying_key(PUBLIC) == key.public


def test_a_key_does_not_show_itself() -> None:
    assert KEY.text.rpartition("+")[2] not in repr(KEY)


def test_a_signature_holds_for_its_message_alone() -> None:
    signature = KEY.sign(b"one")
    assert KEY.public.holds(signature, b"one")
    assert not KEY.public.holds(signature, b"two")
    assert not KEY.public.holds(signature[:-1], b"one")
    assert not signing_key(KEY.name, bytes(32)).public.holds(signature, b"one")


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b"])
def test_a_name_that_a_note_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        signing_key(name, bytes(32))


@pytest.mark.parametrize(
    "text",
    ["", "x", "a+b", "a+b+c", PUBLIC.replace("c74", "c75"), PUBLIC[:-4], PUBLIC.replace("ARpc", "AhpC"), PRIVATE],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        parse_verifying_key(text)


@pytest.mark.parametrize(
    "text", ["", PUBLIC, PRIVATE[:-4], PRIVATE.replace("c74", "c75"), PRIVATE.replace("AYE", "AYF")]
)
def test_what_is_no_private_key_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        parse_signing_key(text)
