"""Storage in a bucket of an S3 server, which several hosts share."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from typing import IO, Any, NoReturn

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.utils import validate_file_name
from storages.backends.s3 import S3Storage

_LIMITS: dict[str, Any] = {
    "connect_timeout": 3,
    "read_timeout": 10,
    "retries": {"mode": "standard", "total_max_attempts": 2},
    "max_pool_connections": 32,
}
"""Seconds per attempt: a server that is silent costs a caller about twenty of them, and never more than that."""


class PrivateS3Storage(S3Storage):  # type: ignore[misc] # it ships no types
    """Objects without a public address or rights of their own: the bucket's keep others out."""

    default_acl = None
    querystring_auth = False
    # Or one in the environment would go with keys that it does not belong to.
    security_token = None

    def __init__(self, **options: Any) -> None:
        # Where the server is named, its name is the only one that resolves: the bucket's goes into the path.
        style = "path" if options.get("endpoint_url") else "auto"
        super().__init__(client_config=Config(**_LIMITS, s3={"addressing_style": style}), **options)

    def url(self, name: str | None, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a private file has no address of its own."""
        raise ValueError(f"{name} is private and has no public address")

    def write(self, name: str, data: bytes) -> None:
        """See `Storage.write`. One request, which the server takes whole and has kept when it answers."""
        with _as_os_error(name):
            self._client.put_object(Body=data, **self._place(name))

    @contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """See `Storage.writing`. It waits in this machine's `TMPDIR` until it is whole, and goes in one request."""
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with _as_os_error(name):
                self._client.put_object(Body=file, **self._place(name))

    @contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """See `Storage.reading`."""
        with _as_os_error(name), closing(self._client.get_object(**self._place(name))["Body"]) as body:
            yield body

    def read(self, name: str) -> bytes:
        """See `Storage.read`."""
        with _as_os_error(name), closing(self._client.get_object(**self._place(name))["Body"]) as body:
            return bytes(body.read())

    def remove(self, name: str) -> None:
        """See `Storage.remove`."""
        with _as_os_error(name):
            self._client.delete_object(**self._place(name))

    def listing(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """See `Storage.listing`."""
        pages = self._client.get_paginator("list_objects_v2")
        with _as_os_error(folder):
            for page in pages.paginate(Bucket=self.bucket_name, Prefix=f"{folder}/"):
                for item in page.get("Contents", []):
                    yield item["Key"], item["LastModified"]

    @cached_property
    def _client(self) -> Any:
        """One for all threads. The storage has one for each, but here each request has a thread of its own."""
        return self.connection.meta.client

    def _place(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket_name, "Key": validate_file_name(name, allow_relative_path=True)}


@contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    """Whatever goes wrong with a bucket in the words that callers know from files."""
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name) from error
        raise OSError(f"{name}: {error}") from error
    except BotoCoreError as error:
        raise OSError(f"{name}: {error}") from error
