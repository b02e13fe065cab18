import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from gramophone.media import addresses
from gramophone.media.errors import InputError

DATA = bytes(range(256)) * 5000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A web server with the file "a song.bin"."""
    pytest.importorskip("aiohttp")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a song.bin").write_bytes(DATA)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / "web"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_names_and_addresses_are_told_apart() -> None:
    for address in ("s3://bucket/a.wav", "memory://a.wav", "file:///a.wav", "zip://a.wav::s3://bucket/a.zip"):
        assert addresses.is_address(address), address
    for name in ("a.wav", "C:\\music\\a.wav", "c://a.wav", "/a/b.wav", "a:b.wav", Path("a.wav")):
        assert not addresses.is_address(name), name
    assert addresses.name_of("s3://bucket/album/a.wav") == "a.wav"
    assert addresses.name_of("https://host/my%20song.wav?token=1") == "my song.wav"
    assert addresses.name_of("zip://inside/a.wav::s3://bucket/b.zip") == "a.wav"
    assert addresses.name_of("album/a.wav") == "a.wav"


def test_secrets_are_not_shown() -> None:
    assert addresses.shown_address("sftp://me:secret@host/a.wav") == "sftp://host/a.wav"
    assert addresses.shown_address("https://host/a.wav?X-Amz-Signature=secret") == "https://host/a.wav"
    with (
        pytest.raises(InputError) as caught,
        addresses.local_copy("http://me:secret@127.0.0.1:9/a.wav?key=secret"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_local_files_are_passed_through(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    for name in (str(path), path, f"file://{path}"):
        with addresses.local_copy(name) as copy:
            assert copy == path
        assert addresses.digest(name) == hashlib.sha256(DATA).hexdigest()


def test_a_copy_from_memory_has_its_name_and_goes_again(memory) -> None:
    memory.pipe_file("/album/a.bin", DATA)
    told: list[tuple[int, int | None]] = []
    with addresses.local_copy("memory://album/a.bin", meter=lambda *now: told.append(now)) as copy:
        assert copy.name == "a.bin"
        assert copy.read_bytes() == DATA
    assert not copy.exists()
    assert told[-1] == (len(DATA), len(DATA))
    assert addresses.digest("memory://album/a.bin") == hashlib.sha256(DATA).hexdigest()


def test_a_copy_from_a_web_server(server: str) -> None:
    told: list[tuple[int, int | None]] = []
    address = f"{server}/a%20song.bin"
    with addresses.local_copy(address, meter=lambda *now: told.append(now)) as copy:
        assert copy.name == "a song.bin"
        assert copy.read_bytes() == DATA
    assert told[-1][0] == len(DATA)
    assert addresses.digest(address) == hashlib.sha256(DATA).hexdigest()
    with (
        pytest.raises(InputError, match=r"other\.bin does not exist"),
        addresses.local_copy(f"{server}/other.bin"),
    ):
        pass
    with pytest.raises(InputError, match="can only be read"):
        addresses.upload(copy, address, overwrite=True)


def test_messages_call_a_copy_by_its_address(memory) -> None:
    memory.pipe_file("/a.bin", DATA)
    with (
        pytest.raises(InputError, match=r"^memory://a.bin is bad$"),
        addresses.local_copy("memory://a.bin") as copy,
    ):
        raise InputError(f"{copy} is bad")


def test_uploads_replace_nothing_unasked(memory, tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(DATA)
    addresses.upload(source, "memory://out/a.bin", overwrite=False)
    assert addresses.size("memory://out/a.bin") == len(DATA)
    source.write_bytes(b"new")
    with pytest.raises(InputError, match="already exists"):
        addresses.upload(source, "memory://out/a.bin", overwrite=False)
    assert memory.cat_file("/out/a.bin") == DATA
    addresses.upload(source, "memory://out/a.bin", overwrite=True)
    assert memory.cat_file("/out/a.bin") == b"new"
    assert addresses.size("memory://out/b.bin") is None


class Far(MemoryFileSystem):  # type: ignore[misc]  # typed in part only
    """A server on which files grow while they are written, and which tells how they were moved."""

    protocol = "far"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    moved: ClassVar[list[tuple[str, str]]] = []
    broken = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.replace("far://", "memory://"))

    def mv(self, path1: str, path2: str, **options: object) -> None:
        if self.broken:
            raise OSError("the line is dead")
        self.moved.append((path1, path2))
        super().mv(path1, path2, **options)


def test_other_places_get_a_file_under_another_name_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("far", Far, clobber=True)
    source = tmp_path / "a.bin"
    source.write_bytes(DATA)
    addresses.upload(source, "far://out/a.bin", overwrite=False)
    assert [(start.rpartition("/")[2][:6], end) for start, end in Far.moved] == [(".part-", "/out/a.bin")]
    assert list(Far.store) == ["/out/a.bin"]
    monkeypatch.setattr(Far, "broken", True)
    with pytest.raises(InputError, match=r"cannot write far://out/b\.bin: the line is dead"):
        addresses.upload(source, "far://out/b.bin", overwrite=False)
    assert list(Far.store) == ["/out/a.bin"]


def test_what_cannot_be_opened_is_one_line_that_says_what_to_install() -> None:
    cases = {
        "nosuch://a.wav": "nosuch:// is unknown",
        "s3://bucket/a.wav": "pip install s3fs",
        "memory://nothing.wav": "does not exist",
    }
    for address, message in cases.items():
        if address.startswith("s3") and _installed("s3fs"):
            continue
        with pytest.raises(InputError, match=message) as caught, addresses.local_copy(address):
            pass
        assert "\n" not in str(caught.value)
        assert address in str(caught.value)


def _installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
