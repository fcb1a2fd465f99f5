"""A download is the right file or nothing, and says in a line what went wrong; never outside this machine."""

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from subsoil.archive.fetch import download
from subsoil.errors import BadCall, ChecksumMismatch, MissingData

CONTENT = b"depth,f\n" * 5000
RIGHT = sha256(CONTENT).hexdigest()


class Publisher(BaseHTTPRequestHandler):
    """Answers by the name of the file that is asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/absent":
            self.send_error(404)
            return
        content = b"<html>please sign in</html>" if self.path == "/other" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/truncated" else content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def publisher(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "*")
    Publisher.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_good_file_comes_once(publisher: str, tmp_path: Path) -> None:
    for _ in range(2):
        path = download(f"{publisher}/good", tmp_path / "new" / "data.csv", RIGHT)
    assert path.read_bytes() == CONTENT
    assert Publisher.asked == ["/good"]


def test_progress_goes_to_stderr(publisher: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download(f"{publisher}/good", tmp_path / "data.csv", RIGHT, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "100%" in captured.err


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("other", ChecksumMismatch, "another file than the registered one.*--data DIR"),
        ("absent", MissingData, "answered 404"),
        ("truncated", MissingData, "broke off"),
    ],
)
def test_bad_answer_leaves_nothing(
    name: str, error: type[Exception], message: str, publisher: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        download(f"{publisher}/{name}", tmp_path / "data.csv", RIGHT)
    assert list(tmp_path.iterdir()) == []


def test_bad_answer_leaves_the_earlier_file(publisher: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"an older version")
    with pytest.raises(MissingData):
        download(f"{publisher}/truncated", tmp_path / "data.csv", RIGHT)
    assert (tmp_path / "data.csv").read_bytes() == b"an older version"
    download(f"{publisher}/good", tmp_path / "data.csv", RIGHT)
    assert (tmp_path / "data.csv").read_bytes() == CONTENT


def test_refused_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    port = server.server_port
    server.server_close()
    with pytest.raises(MissingData, match="no connection"):
        download(f"http://127.0.0.1:{port}/good", tmp_path / "data.csv", RIGHT)


def test_unwritable_store(publisher: str, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(BadCall, match="cannot keep the download"):
        download(f"{publisher}/good", tmp_path / "store" / "data.csv", RIGHT)
