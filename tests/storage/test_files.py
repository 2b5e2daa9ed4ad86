"""The files connector over real folders, links, pipes and devices."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import ConnectionName, DatasetName, PartnerName
from cleanroom.domain.policy import Connection, ConnectionType, Dataset, DatasetColumn, Domain
from cleanroom.domain.ports import FileSource
from cleanroom.domain.types import BIGINT
from cleanroom.storage import FilesConnector, connectors, opened

SHOP = PartnerName("shop")


def connection(root: Path | str, partner: str = "shop") -> Connection:
    return Connection(ConnectionName("lake"), PartnerName(partner), ConnectionType.FILES, {"root": str(root)})


def dataset(source: str, name: str = "shop.orders") -> Dataset:
    column = DatasetColumn("user_id", BIGINT)
    return Dataset(DatasetName(name), ConnectionName("lake"), source, Domain.EVENT, "", "", ("user_id",), (), (column,))


def pin(root: Path, source: str) -> FileSource:
    return FilesConnector({SHOP: (str(root),)}).pin(connection(root), dataset(source), None)


@pytest.mark.parametrize(
    ("source", "secret"),
    [
        ("orders/*.parquet", "hunter2"),
        ("orders/*.parquet", ""),
        ("orders/*.parquet", base64.b64encode(bytes(16)).decode()),
        ("orders/*.parquet", base64.b64encode(bytes(24)).decode()),
        ("orders/*.parquet", base64.b64encode(bytes(33)).decode()),
        ("orders/*.parquet", "ä" * 44),
        ("orders/*.csv", base64.b64encode(bytes(32)).decode()),
    ],
)
def test_a_secret_that_is_no_key_for_the_files_is_refused(root: Path, source: str, secret: str) -> None:
    (root / "orders/1.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError) as refused:
        FilesConnector({SHOP: (str(root),)}).pin(connection(root), dataset(source), secret)
    assert refused.value.code == "source.secret_unusable"
    assert not secret or secret not in refused.value.message


def test_a_source_of_encrypted_files_holds_its_key_and_does_not_show_it(root: Path) -> None:
    (root / "orders/1.parquet").write_bytes(b"PARE")
    key = base64.b64encode(bytes(range(32))).decode()
    source = FilesConnector({SHOP: (str(root),)}).pin(connection(root), dataset("orders/*.parquet"), key)
    assert source.key == key
    assert key not in repr(source)


def refusal(root: Path, source: str) -> str:
    with pytest.raises(SourceError) as refused:
        pin(root, source)
    assert str(root) not in refused.value.message
    return refused.value.code


def changed(root: Path, source: FileSource) -> bool:
    with ExitStack() as files:
        codes = []
        for check in (lambda: FilesConnector({}).still(source), lambda: opened(source, files)):
            try:
                check()
            except SourceError as error:
                codes.append(error.code)
    assert codes in ([], ["source.changed"] * 2)
    return bool(codes)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders/1.csv").write_text("user_id\n1\n")
    (tmp_path / "orders/2.csv").write_text("user_id\n2\n")
    (tmp_path / "customers.parquet").write_bytes(b"PAR1")
    return tmp_path


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside")
    (folder / "1.csv").write_text("user_id\n666\n")
    return folder


def test_a_source_is_pinned_to_the_real_paths_of_its_files(root: Path) -> None:
    source = pin(root, "orders/*.csv")
    assert source.format == "csv"
    assert source.paths == (str(root / "orders/1.csv"), str(root / "orders/2.csv"))
    assert not changed(root, source)


def test_the_suffix_gives_the_format(root: Path) -> None:
    assert pin(root, "customers.parquet").format == "parquet"


def test_two_pins_of_unchanged_files_have_one_snapshot(root: Path) -> None:
    assert pin(root, "orders/*.csv").snapshot == pin(root, "orders/?.csv").snapshot
    assert pin(root, "orders/1.csv").snapshot != pin(root, "orders/2.csv").snapshot


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("**", "source.unreadable"),  # two formats
        ("none.csv", "source.missing"),
        ("orders", "source.missing"),
        ("../orders/1.csv", "source.outside_root"),
        ("/etc/passwd", "source.outside_root"),
        ("notes.txt", "source.unreadable"),
        ("bare", "source.unreadable"),
        ("we[[]ird.csv", "source.unreadable"),
        ("dangling.csv", "source.missing"),
        ("loop.csv", "source.unreadable"),
    ],
)
def test_what_is_not_one_readable_format_within_the_root_is_refused(root: Path, source: str, code: str) -> None:
    for name in ("notes.txt", "bare", "we[ird.csv"):
        (root / name).touch()
    (root / "dangling.csv").symlink_to("nothing.csv")
    (root / "loop.csv").symlink_to("loop.csv")
    assert refusal(root, source) == code


def test_a_fifo_is_refused_without_waiting_for_a_writer(root: Path) -> None:
    os.mkfifo(root / "orders/3.csv")
    assert refusal(root, "orders/*.csv") == "source.unreadable"


def test_a_device_is_refused(root: Path) -> None:
    try:
        os.mknod(root / "zero.csv", 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only a privileged user makes devices")
    assert refusal(root, "zero.csv") == "source.unreadable"


def test_a_link_to_a_device_leaves_the_root(root: Path) -> None:
    (root / "zero.csv").symlink_to("/dev/zero")
    assert refusal(root, "zero.csv") == "source.outside_root"


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from tests.storage.test_files import pin
from cleanroom.domain.errors import SourceError
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)
try:
    pin(Path(sys.argv[1]), sys.argv[2])
except SourceError as error:
    print(error.code)
"""


@pytest.mark.parametrize(
    ("closed", "source"),
    [("orders/1.csv", "orders/*.csv"), ("orders", "orders/*.csv"), ("orders", "**/1.csv"), ("orders", "orders/1.csv")],
)
def test_a_file_or_folder_without_permission_is_unreadable(closed: str, source: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "orders").mkdir()
        (root / "orders/1.csv").touch()
        (root / closed).chmod(0)
        command = [sys.executable, "-c", UNPRIVILEGED, folder, source]
        said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        (root / closed).chmod(0o700)
    assert said.stdout.strip() == "source.unreadable"


@pytest.mark.parametrize("admitted", [{}, {PartnerName("rival"): "."}, {SHOP: "orders"}, {SHOP: "../elsewhere"}])
def test_a_root_that_is_not_admitted_for_the_partner_is_refused(root: Path, admitted: dict[PartnerName, str]) -> None:
    connector = FilesConnector({partner: (str(root / folder),) for partner, folder in admitted.items()})
    with pytest.raises(SourceError) as refused:
        connector.pin(connection(root), dataset("customers.parquet"), None)
    assert refused.value.code == "source.outside_root"


def test_a_sibling_that_shares_the_admitted_roots_prefix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shop-evil").mkdir()
    (tmp_path / "shop-evil/a.csv").touch()
    connector = FilesConnector({SHOP: (str(tmp_path / "shop"),)})
    with pytest.raises(SourceError) as refused:
        connector.pin(connection(tmp_path / "shop-evil"), dataset("a.csv"), None)
    assert refused.value.code == "source.outside_root"


def test_a_root_below_an_admitted_one_is_reached(root: Path) -> None:
    connector = FilesConnector({SHOP: ("/nowhere", str(root))})
    assert len(connector.pin(connection(root / "orders"), dataset("*.csv"), None).paths) == 2


def test_a_root_that_is_a_link_out_of_what_is_admitted_is_refused(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)
    with pytest.raises(SourceError) as refused:
        FilesConnector({SHOP: (str(root),)}).pin(connection(root / "link"), dataset("*.csv"), None)
    assert refused.value.code == "source.outside_root"


@pytest.mark.parametrize("bad", ["", "orders", "./", "/../../.."])
def test_a_root_that_is_no_absolute_admitted_folder_is_refused(root: Path, bad: str) -> None:
    with pytest.raises(SourceError) as refused:
        FilesConnector({SHOP: (str(root),)}).pin(connection(bad), dataset("*.csv"), None)
    assert refused.value.code == "source.outside_root"


def test_a_dataset_reaches_only_its_own_partners_connection(root: Path) -> None:
    connector = FilesConnector({SHOP: (str(root),), PartnerName("rival"): (str(root),)})
    for foreign in (dataset("customers.parquet", "rival.orders"),):
        with pytest.raises(SourceError) as refused:
            connector.pin(connection(root), foreign, None)
        assert refused.value.code == "source.outside_root"


def rewritten(root: Path, outside: Path) -> None:
    (root / "orders/1.csv").write_text("user_id\n9\n")


def rewritten_with_its_old_time(root: Path, outside: Path) -> None:
    before = (root / "orders/1.csv").stat()
    (root / "orders/1.csv").write_text("user_id\n9\n")
    os.utime(root / "orders/1.csv", ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(root: Path, outside: Path) -> None:
    (root / "new.csv").write_text("user_id\n1\n")
    (root / "new.csv").replace(root / "orders/1.csv")


def removed(root: Path, outside: Path) -> None:
    (root / "orders/1.csv").unlink()


def linked(root: Path, outside: Path) -> None:
    (root / "orders/1.csv").unlink()
    (root / "orders/1.csv").symlink_to(outside / "1.csv")


def linked_to_itself_elsewhere(root: Path, outside: Path) -> None:
    (root / "orders/1.csv").rename(outside / "same.csv")
    (root / "orders/1.csv").symlink_to(outside / "same.csv")


def folder_linked(root: Path, outside: Path) -> None:
    (root / "orders").rename(outside / "orders")
    (root / "orders").symlink_to(outside / "orders")


def away_and_back(root: Path, outside: Path) -> None:
    (root / "orders/1.csv").rename(root / "aside")
    (root / "orders/1.csv").symlink_to(outside / "1.csv")
    (root / "orders/1.csv").unlink()
    (root / "aside").rename(root / "orders/1.csv")


def fifo(root: Path, outside: Path) -> None:
    removed(root, outside)
    os.mkfifo(root / "orders/1.csv")


@pytest.mark.parametrize(
    "change",
    [
        rewritten,
        rewritten_with_its_old_time,
        replaced,
        removed,
        linked,
        linked_to_itself_elsewhere,
        folder_linked,
        away_and_back,
        fifo,
    ],
    ids=lambda change: change.__name__,
)
def test_a_change_between_pin_and_the_end_of_the_read_is_noticed(root: Path, outside: Path, change: object) -> None:
    source = pin(root, "orders/*.csv")
    change(root, outside)  # type: ignore[operator]
    assert changed(root, source)


def test_a_new_file_beside_the_pinned_ones_is_no_change(root: Path) -> None:
    source = pin(root, "orders/*.csv")
    (root / "orders/3.csv").write_text("user_id\n3\n")
    assert not changed(root, source)


@pytest.fixture
def files() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_an_opened_source_is_read_from_the_pinned_file_whatever_its_path_becomes(
    root: Path, outside: Path, files: ExitStack
) -> None:
    source = opened(pin(root, "orders/1.csv"), files)
    linked(root, outside)
    assert Path(source.paths[0]).read_text() == "user_id\n1\n"


def test_an_opened_source_closes_its_files(root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ExitStack() as stack:
        opened(pin(root, "orders/*.csv"), stack)
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 2
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_every_connection_type_has_a_connector() -> None:
    assert connectors({}).keys() == set(ConnectionType)
