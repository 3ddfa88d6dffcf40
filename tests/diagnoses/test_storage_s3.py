"""A bucket: shared, private, and never waited for without end, whatever its server does."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.files.storage import storages

from diagnoses import storage
from diagnoses.audit import user_actor
from diagnoses.checks import media_folder_is_writable
from diagnoses.models import ModelVersion, Study
from diagnoses.services.submission import StudyDetails, submit_study
from diagnoses.storage import s3
from diagnoses.storage.s3 import PrivateS3Storage
from tests import s3 as servers
from tests.diagnoses.conftest import use_bucket
from tests.diagnoses.factory import sent
from tests.integration.site import free_port

NAME = "originals/ab/abcdef"
ACTS: dict[str, Callable[[], object]] = {
    "write": lambda: storage.write(NAME, b"data"),
    "read": lambda: storage.read(NAME),
    "remove": lambda: storage.remove(NAME),
    "listing": lambda: list(storage.listing()),
}
each_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it"


@contextmanager
def server_that_says(words: bytes, *, hang_up: bool) -> Iterator[tuple[str, list[bytes]]]:
    """A server that takes what it is sent, says these words, and then hangs up or is silent. With what it was asked."""
    asked: list[bytes] = []
    held: list[socket.socket] = []

    def answer() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                asked.append(connection.recv(65536))
                connection.sendall(words)
                if hang_up:
                    connection.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for connection in held:
                connection.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds on a site takes parts of one."""
    monkeypatch.setattr(s3, "_LIMITS", s3._LIMITS | {"connect_timeout": 0.3, "read_timeout": 0.3})


def store() -> PrivateS3Storage:
    """The site's storage, which is a bucket."""
    found = storages["default"]
    assert isinstance(found, PrivateS3Storage)
    return found


def before_each(operation: str, look: Callable[[dict[str, Any]], None]) -> None:
    """Look at what is said to the server before each request of this kind."""
    store()._client.meta.events.register(f"provide-client-params.s3.{operation}", lambda params, **_: look(params))


@each_act
@pytest.mark.usefixtures("_impatient")
def test_a_silent_server_is_an_os_error_in_the_end(settings: LazySettings, act: Callable[[], object]) -> None:
    with server_that_says(b"", hang_up=False) as (url, asked):
        use_bucket(settings, url, "bucket")
        before = time.monotonic()
        with pytest.raises(OSError, match="timeout"):
            act()
        assert time.monotonic() - before < 10
        assert len(asked) == 2, "it is tried once more, and not for ever"


@pytest.mark.parametrize("hang_up", [True, False], ids=["hangs up", "goes silent"])
@pytest.mark.usefixtures("_impatient")
def test_a_server_that_stops_in_the_middle_of_a_file_is_an_os_error(settings: LazySettings, hang_up: bool) -> None:
    with server_that_says(CUT_SHORT, hang_up=hang_up) as (url, _):
        use_bucket(settings, url, "bucket")
        with pytest.raises(OSError, match=NAME):
            storage.read(NAME)


@each_act
def test_a_server_that_is_away_is_an_os_error(settings: LazySettings, act: Callable[[], object]) -> None:
    use_bucket(settings, f"http://127.0.0.1:{free_port()}", "bucket")
    with pytest.raises(OSError, match="Could not connect") as error:
        act()
    assert not isinstance(error.value, FileNotFoundError)


@each_act
def test_a_bucket_that_is_not_there_is_an_os_error_and_no_missing_file(
    settings: LazySettings, s3_url: str, act: Callable[[], object]
) -> None:
    use_bucket(settings, s3_url, "nobodys-bucket")
    with pytest.raises(OSError, match="NoSuchBucket") as error:
        act()
    assert not isinstance(error.value, FileNotFoundError)


def test_no_error_tells_the_keys(settings: LazySettings, s3_url: str) -> None:
    use_bucket(settings, s3_url, "nobodys-bucket")
    with pytest.raises(OSError, match="NoSuchBucket") as error:
        storage.read(NAME)
    assert servers.SECRET_KEY not in str(error.value)


def test_a_sender_is_told_that_a_file_could_not_be_kept(
    clinician: User, model_version: ModelVersion, settings: LazySettings
) -> None:
    use_bucket(settings, f"http://127.0.0.1:{free_port()}", "bucket")
    submission = submit_study(actor=user_actor(clinician), files=[sent()], details=StudyDetails())
    assert [answer.error and answer.error.code for answer in submission.answers] == ["storage_unavailable"]
    assert not Study.objects.exists()


def test_a_listing_goes_on_after_what_one_answer_holds(bucket: str) -> None:
    names = {f"originals/ab/{number}" for number in range(5)}
    for name in names:
        storage.write(name, b"data")
    before_each("ListObjectsV2", lambda parameters: parameters.update(MaxKeys=2))  # a server's own limit is a thousand
    assert {file.name for file in storage.listing()} == names


def test_all_threads_share_one_client(bucket: str) -> None:
    storage.write(NAME, b"data")
    first = store()._client
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: store()._client, range(8))) == {first}
        assert list(threads.map(lambda _: storage.read(NAME), range(8))) == [b"data"] * 8


def test_an_object_has_no_rights_of_its_own(bucket: str) -> None:
    said: set[str] = set()
    before_each("PutObject", said.update)
    storage.write(NAME, b"data")
    assert said == {"Bucket", "Key", "Body"}


def test_a_token_in_the_environment_does_not_go_with_keys_that_were_given(
    settings: LazySettings, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    use_bucket(settings, s3_url, "bucket")
    assert store()._client._request_signer._credentials.token is None


def test_a_site_with_a_bucket_needs_no_folder(bucket: str, settings: LazySettings) -> None:
    assert media_folder_is_writable(None) == []
    assert not settings.MEDIA_ROOT.exists()
