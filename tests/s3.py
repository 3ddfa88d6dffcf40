"""A real S3 server for tests, reached by HTTP, in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import boto3
import httpx

from tests.integration.site import free_port, wait_until

ACCESS_KEY, SECRET_KEY = "a key for tests alone", "and what belongs to it"


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def s3_server(host: str = "127.0.0.1", *, within: Sequence[str] = ()) -> Iterator[str]:
    """The server's address. `within` is a command that starts another one elsewhere, as in a network of its own."""
    port = free_port()
    command = [*within, sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    url = f"http://{host}:{port}"
    try:
        wait_until(lambda: is_up(url), 30, "the S3 server answers")
        yield url
    finally:
        process.terminate()
        process.wait(10)


def make_bucket(url: str, name: str) -> None:
    """An empty bucket."""
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(Bucket=name)
