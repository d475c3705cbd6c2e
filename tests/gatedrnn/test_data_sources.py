"""Data by name: registry, mirror, checksums, and what is said when a file cannot be had."""

import hashlib
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pooch
import pytest

from gatedrnn.data import DataError, dataset_names, describe, fetch, load_text, sources

CONTENT = b"To be, or not to be\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """A web server on this machine that answers with `content`, or not at all once closed."""

    def __init__(self):
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(server.announced))
                self.end_headers()
                self.wfile.write(server.content)

            def log_message(self, *args):
                pass

        self.announced, self.content = len(CONTENT), CONTENT
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/play.txt"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """One small data set with an address on this machine, no mirror, and an empty cache."""
    server = Server()
    monkeypatch.delenv("GATEDRNN_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(pooch.get_logger(), "disabled", True)
    play = {"citation": "W. S.", "files": {"play.txt": {"url": server.url, "sha256": SHA256}}}
    monkeypatch.setattr(sources, "_registry", lambda: {"play": play})
    yield server
    server.close()


def mirror(monkeypatch, tmp_path, content):
    folder = tmp_path / "mirror"
    (folder / "play").mkdir(parents=True)
    (folder / "play" / "play.txt").write_bytes(content)
    monkeypatch.setenv("GATEDRNN_DATA", str(folder))
    return folder / "play" / "play.txt"


def test_the_mirror_is_read_first_and_without_a_network(server, monkeypatch, tmp_path):
    server.close()
    path = mirror(monkeypatch, tmp_path, CONTENT)
    assert fetch("play", "play.txt") == path


def test_a_wrong_file_in_the_mirror_is_named_with_what_was_expected(server, monkeypatch, tmp_path):
    # The server would have the right file: a network must not paper over a damaged mirror.
    path = mirror(monkeypatch, tmp_path, CONTENT[:-1])
    with pytest.raises(DataError) as caught:
        fetch("play", "play.txt")
    found = hashlib.sha256(CONTENT[:-1]).hexdigest()
    assert str(path) in str(caught.value)
    assert f"should be {SHA256} and is {found}" in str(caught.value)


def test_a_file_that_the_mirror_lacks_is_downloaded(server, monkeypatch, tmp_path):
    mirror(monkeypatch, tmp_path, CONTENT).unlink()
    assert fetch("play", "play.txt").read_bytes() == CONTENT


def test_a_mirror_that_is_no_folder_is_named(server, monkeypatch, tmp_path):
    monkeypatch.setenv("GATEDRNN_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="GATEDRNN_DATA is set to '.*nowhere', which is not a fold"):
        fetch("play", "play.txt")


def test_no_mirror_and_no_network_says_what_to_set(server):
    server.close()
    with pytest.raises(DataError) as caught:
        fetch("play", "play.txt")
    message = str(caught.value)
    assert "\n" not in message
    assert "ConnectionError" in message
    assert (
        f"set GATEDRNN_DATA to a folder that holds play/play.txt with SHA-256 {SHA256}" in message
    )


def test_a_download_is_kept_and_then_read_without_a_network(server):
    path = fetch("play", "play.txt")
    server.close()
    assert fetch("play", "play.txt") == path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("announced", [7, len(CONTENT)])
def test_a_partial_download_is_never_left_under_the_files_name(server, tmp_path, announced):
    server.content, server.announced = CONTENT[:7], announced
    with pytest.raises(
        DataError, match="nor could it be downloaded .*play.txt: (ValueError|Chunk|Con)"
    ):
        fetch("play", "play.txt")
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


def test_a_damaged_file_in_the_cache_is_not_trusted(server):
    path = fetch("play", "play.txt")
    path.write_bytes(b"half a pl")
    assert fetch("play", "play.txt").read_bytes() == CONTENT
    path.write_bytes(b"half a pl")
    server.close()
    with pytest.raises(DataError, match="ConnectionError"):
        fetch("play", "play.txt")


def test_names_that_are_not_there_are_answered_with_those_that_are(server):
    with pytest.raises(DataError, match="no data set called 'plya'; choose one of: play"):
        fetch("plya", "play.txt")
    with pytest.raises(DataError, match="no file 'p.txt'; its files are: play.txt"):
        fetch("play", "p.txt")
    with pytest.raises(DataError, match="no text called 'mnist'; choose one of: timemachine, tiny"):
        load_text("mnist")


def test_every_entry_of_the_packaged_registry_is_complete():
    assert "tinyshakespeare" in dataset_names()
    for name in dataset_names():
        entry = describe(name)
        assert entry["citation"], name
        for file, facts in entry["files"].items():
            where = f"{name}/{file}"
            assert facts["url"].startswith("https://"), where
            assert len(bytes.fromhex(facts["sha256"])) == 32, where
            assert facts["bytes"] > 0 and facts["licence"] and facts["licence_source"], where


@pytest.mark.skipif(
    not os.environ.get("GATEDRNN_DATA"), reason="needs the data: set GATEDRNN_DATA to a mirror"
)
def test_every_mirrored_file_has_the_registered_size_and_checksum():
    for name in dataset_names():
        for file, facts in describe(name)["files"].items():
            if Path(os.environ["GATEDRNN_DATA"], name, file).exists():
                assert fetch(name, file).stat().st_size == facts["bytes"], f"{name}/{file}"
