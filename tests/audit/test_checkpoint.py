from __future__ import annotations

import pytest

from cleanroom.audit.checkpoint import Checkpoint, decode, read, sign
from cleanroom.audit.keys import parse_signing_key, signing_key
from cleanroom.audit.tree import EMPTY_ROOT
from cleanroom.domain.errors import LogError
from tests.audit.logs import KEY
from tests.audit.test_keys import PRIVATE

# From the documentation of golang.org/x/mod/sumdb/note.
TEXT = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"

CHECKPOINT = Checkpoint(KEY.name, 20852163, bytes(range(32)))
_, NOTE = sign(CHECKPOINT, KEY)


def test_a_note_has_the_form_of_the_specification() -> None:
    lines = NOTE.decode().split("\n")
    assert lines[:4] == ["clean.example/log", "20852163", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert lines[4].startswith("— clean.example/log ")
    assert lines[5:] == [""]


def test_we_sign_as_other_programs_do() -> None:
    key = parse_signing_key(PRIVATE)
    signature = decode(LINE.split()[2].encode())
    assert signature == key.public.id + key.sign(TEXT)


def test_what_was_signed_reads_back_the_same() -> None:
    assert read(NOTE, KEY.public) == CHECKPOINT


def test_a_witness_may_sign_too() -> None:
    assert read(NOTE + LINE.encode(), KEY.public) == CHECKPOINT


def test_another_program_s_note_is_no_checkpoint() -> None:
    with pytest.raises(LogError):
        read(TEXT + b"\n" + LINE.encode(), parse_signing_key(PRIVATE).public)


def test_every_bit_of_a_checkpoint_counts() -> None:
    for at in range(len(NOTE) * 8):
        flipped = bytearray(NOTE)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(LogError):
            read(bytes(flipped), KEY.public)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        NOTE[:-1],
        NOTE.partition(b"\n\n")[0],
        CHECKPOINT.body,
        sign(CHECKPOINT, signing_key(KEY.name, bytes(32)))[1],
        sign(CHECKPOINT, signing_key("other.example", bytes(range(32))))[1],
        sign(Checkpoint("other.example/log", 3, EMPTY_ROOT), KEY)[1],
        sign(Checkpoint(KEY.name, -1, EMPTY_ROOT), KEY)[1],
        sign(Checkpoint(KEY.name, 1, b"short"), KEY)[1],
    ],
)
def test_a_note_that_this_log_did_not_sign_is_refused(note: bytes) -> None:
    with pytest.raises(LogError) as refusal:
        read(note, KEY.public)
    assert refusal.value.code == "log.checkpoint"
