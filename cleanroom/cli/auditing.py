"""`cleanroom audit`: the log of a home, or a file of it → proven whole, or the first broken entry named."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.audit.file import verify_file
from cleanroom.audit.keys import VerifyingKey, parse_verifying_key
from cleanroom.audit.verification import Verification
from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.options import home_option, opened, output_option
from cleanroom.cli.showing import print_json


@click.group()
def audit() -> None:
    """Prove the log, or take it to somebody else who does."""


@audit.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", help="The log's public key, as `audit export` prints it; default: that of the home.")
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint kept from earlier, as `audit checkpoint` prints it: the log must continue it. May be given again.",
)
@home_option
@output_option
def verify(file: Path | None, key: str | None, checkpoints: tuple[Path, ...], home: Path, output: str) -> None:
    """Prove the log whole, or name the first broken entry. FILE is one of `audit export`; without it, the home's log.

    An older copy of a log is whole too. That nothing was put back shows only against a checkpoint kept elsewhere.
    """
    kept = tuple(path.read_bytes() for path in checkpoints)
    if file is None:
        with opened(home) as open_home:
            proof = open_home.drawers.log.verify(kept)
    else:
        with file.open("rb") as lines:
            proof = verify_file(lines, _key(key, home), kept)
    _tell(proof, output)


@audit.command()
@home_option
def checkpoint(home: Path) -> None:
    """Print the log's newest signed checkpoint, to keep elsewhere and give to `audit verify --checkpoint`."""
    with opened(home) as open_home:
        click.echo(open_home.drawers.log.checkpoint(), nl=False)


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@home_option
def export(file: Path, home: Path) -> None:
    """Write the whole log with its proofs to FILE, and print the public key that verifies it."""
    with opened(home) as open_home:
        try:
            with file.open("wb") as out:
                out.writelines(open_home.drawers.log.export())
        except OSError as error:
            raise click.FileError(str(file), error.strerror) from None
        click.echo(str(open_home.keys.public))


def _key(text: str | None, home: Path) -> VerifyingKey:
    if text is not None:
        return parse_verifying_key(text)
    with opened(home) as open_home:
        return open_home.keys.public


def _tell(proof: Verification, output: str) -> None:
    if output == "json":
        print_json(
            {
                "holds": proof.holds,
                "size": proof.size,
                "root": proof.root.hex(),
                "fault": proof.fault.value if proof.fault else None,
                "entry": proof.entry,
                "message": proof.message,
            }
        )
    elif proof.holds:
        click.echo(f"The log is whole: {proof.size} entries, root {proof.root.hex()}.")
    else:
        place = "" if proof.entry is None else f" at entry {proof.entry}"
        click.echo(f"error: The log is broken{place}: {proof.message} [{proof.fault}]", err=True)
    if not proof.holds:
        raise Told(Exit.FAILED)
