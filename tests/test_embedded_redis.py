"""The single machine's own Redis: closed to all who do not know a password that is on no command line."""

import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from kombu import Connection

from cxrsite import embedded
from cxrsite.embedded import EmbeddedRedis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    server = EmbeddedRedis(tmp_path / 'of a "strange" name\\')
    yield server
    server.stop()


def test_it_asks_for_a_password_which_the_address_holds(server: EmbeddedRedis) -> None:
    bell = urlsplit(server.url)
    with redis.Redis(unix_socket_path=bell.path) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with redis.Redis(unix_socket_path=bell.path, password=bell.password) as friend:
        assert friend.ping()
    with Connection(server.url) as celery:
        celery.ensure_connection(max_retries=1)
        assert str(bell.password) not in celery.as_uri()


def test_the_password_stands_in_a_file_of_this_account_alone_and_on_no_command_line(
    server: EmbeddedRedis, tmp_path: Path
) -> None:
    password = str(urlsplit(server.url).password)
    assert len(password) == 64
    [file] = [path for path in tmp_path.rglob("*") if path.is_file() and password in path.read_text("latin-1")]
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("redis.conf", 0o600)
    process = psutil.Process(server.pid)
    assert password not in " ".join(process.cmdline()) + " ".join(process.environ().values())


def test_nobody_else_reaches_the_socket(server: EmbeddedRedis) -> None:
    socket = Path(urlsplit(server.url).path)
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_one_that_has_died_comes_back_with_the_same_password(server: EmbeddedRedis) -> None:
    url = server.url
    psutil.Process(server.pid).kill()
    server._process.wait()
    assert server.revive(lambda _: None)
    assert server.url == url
    with redis.Redis(unix_socket_path=urlsplit(url).path, password=urlsplit(url).password) as friend:
        assert friend.ping()


def test_one_that_does_not_come_back_is_reported_and_tried_again_later(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    psutil.Process(server.pid).kill()
    server._process.wait()
    with monkeypatch.context() as broken:
        broken.setattr(embedded, "REDIS_SERVER_PATH", "/bin/false")
        assert server.revive(told.append)
        assert server.revive(told.append)
    assert [words[:20] for words in told] == ["Redis has died; star", "Redis did not start;"]
    monkeypatch.setattr(server, "_not_before", 0.0)
    assert server.revive(told.append)
    bell = urlsplit(server.url)
    with redis.Redis(unix_socket_path=bell.path, password=bell.password) as friend:
        assert friend.ping()
