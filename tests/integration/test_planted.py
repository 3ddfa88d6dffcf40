"""What tells of a patient is planted in every place that takes it, and then looked for wherever it must not be."""

import gzip
import secrets
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import httpx
import pytest
import redis
from PIL import Image

from tests import pictures
from tests.integration.site import Site, ended_study, post_study, wait_until
from tests.integration.test_exporting import PASSWORD, files_on, signed_in, token_on

SENDER = "planter"
_MARK = secrets.token_hex(4).upper()
SAID = {
    "patient_id": f"PID{_MARK}",
    "accession_number": f"ACC{_MARK}",
    "clinical_note": f"Cough of Mr NOTE{_MARK} since Monday",
    "patient_birth_date": "2019-08-17",
}
FILE_NAME = f"FILE{_MARK}"
SENDERS_KEY = f"KEY{_MARK}"
IN_FILES = {"header name": f"DCMNAME{_MARK}", "header ID": f"DCMID{_MARK}", "EXIF": f"EXIF{_MARK}"}
PLANTED = {**SAID, "clinical_note": f"NOTE{_MARK}", "file name": FILE_NAME, "sender's key": SENDERS_KEY, **IN_FILES}


def files() -> list[tuple[str, bytes]]:
    """A DICOM file and a JPEG whose headers name the patient, and one that is no picture."""
    header = {"PatientName": IN_FILES["header name"], "PatientID": IN_FILES["header ID"]}
    exif = Image.Exif()
    exif[0x010E] = IN_FILES["EXIF"]
    jpeg = BytesIO()
    Image.fromarray(pictures.phantom(seed=1)).save(jpeg, "JPEG", exif=exif)
    return [
        (f"{FILE_NAME}.dcm", pictures.dicom(pictures.phantom(), **header)),
        (f"{FILE_NAME}.jpg", jpeg.getvalue()),
        (f"{FILE_NAME}.txt", b"No picture of " + IN_FILES["EXIF"].encode()),
    ]


def planted_in(data: bytes, names: Iterator[str] | list[str] | None = None) -> set[str]:
    """Which of them stand there in clear, as they are or as hexadecimal digits, in any case."""
    low = data.lower()
    words = {name: PLANTED[name].lower().encode() for name in names or PLANTED}
    return {name for name, word in words.items() if word in low or word.hex().encode() in low}


def unpacked(data: bytes) -> bytes:
    """What is in archives and deflated streams among the bytes: neither hides what must not be there."""
    found = []
    for mark, window in ((b"PK\x03\x04", -15), (b"\x1f\x8b\x08", 31), (b"\x78\x9c", 15)):
        at = data.find(mark)
        while at >= 0:
            begin = at + 30 + sum(struct.unpack("<HH", data[at + 26 : at + 30].ljust(4, b"\0"))) if window < 0 else at
            with suppress(zlib.error):
                found.append(zlib.decompressobj(window).decompress(data[begin : begin + (1 << 22)], 1 << 24))
            at = data.find(mark, at + 1)
    return b"\n".join(found)


def bytes_on_disk(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def tables_as_text(site: Site) -> Iterator[tuple[str, bytes]]:
    for (table,) in site.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        [(text,)] = site.rows(f"SELECT coalesce(string_agg(row::text, chr(10)), '') FROM \"{table}\" row")
        yield f"table {table}", text.encode()


def redis_as_text(site: Site) -> Iterator[tuple[str, bytes]]:
    url = site.settings["REDIS_URL"].replace("redis+socket://", "unix://")
    server = redis.Redis.from_url(url)
    for key in server.scan_iter():
        dumped: object = server.dump(key)
        yield f"Redis {key!r}", bytes(key) + (dumped if isinstance(dumped, bytes) else b"")


@pytest.fixture(scope="module")
def asked(running_site: Site) -> list[httpx.Response]:
    """All answers of a life of the site: sent, read, searched, exported, refused, gone wrong."""
    site = running_site
    site.add_clinician(SENDER, PASSWORD)
    answers: list[httpx.Response] = []
    with site.client(SENDER) as api:
        sent = post_study(api, files(), key=SENDERS_KEY, **SAID)
        study = ended_study(api, sent.json()["id"])
        answers.append(sent)
        find = api.post("searches/", json={"search": FILE_NAME, "patient_id": SAID["patient_id"]})
        found = api.get("studies/", params=find.json())
        assert [each["id"] for each in found.json()["results"]] == [study["id"]]
        refused = api.get("studies/", params={"label": "SICK"})
        nothing = api.post("studies/", files=[("files", (f"{FILE_NAME}.png", b"no picture"))], data=SAID)
        assert (refused.status_code, nothing.status_code) == (400, 400)
        answers += [find, found, refused, nothing]
        for image in study["images"]:
            if image["id"]:
                answers.append(api.get(f"images/{image['id']}/picture/"))
        answers += [api.get(f"studies/{study['id']}/report.pdf"), api.get("studies/00000000/")]
    with signed_in(site, SENDER) as browser:
        token = token_on(browser.get("/history/").text)
        said = {"search": f"note{_MARK}", "csrfmiddlewaretoken": token}
        history = browser.post("/find/history/", data=said)
        assert study["id"] in history.text
        answers += [history, browser.post("/find/worklist/", data=said)]
        view = {"page": "history", "name": "mine", "query": f"search={FILE_NAME}", "csrfmiddlewaretoken": token}
        answers.append(browser.post("/views/", data=view))
        wish = {"query": f"patient_id={SAID['patient_id']}", "csrfmiddlewaretoken": token}
        answers.append(browser.post("/exports/", data=wish))
        [address] = wait_until(lambda: files_on(browser), 60, "the export is packed", every_seconds=0.5)
        answers += [browser.get(address), browser.get(f"/studies/{study['id']}/")]
        for image in study["images"]:
            if image["id"]:
                answers.append(browser.get(f"/images/{image['id']}/pixels/"))
        answers += [browser.get("/nowhere/"), browser.post("/find/history/", data=said | {"csrfmiddlewaretoken": ""})]
    return answers


def test_no_address_tells_of_the_patient(asked: list[httpx.Response]) -> None:
    addresses = [str(response.url) for answer in asked for response in (*answer.history, answer)]
    assert [address for address in addresses if planted_in(address.encode())] == []


def test_nothing_that_is_served_holds_what_files_said_of_the_patient(asked: list[httpx.Response]) -> None:
    bodies = [answer.content for answer in asked]
    [archive] = [ZipFile(BytesIO(body)) for body in bodies if body[:2] == b"PK"]
    bodies += [archive.read(name) for name in archive.namelist()]
    assert [body[:200] for body in bodies if planted_in(body, list(IN_FILES))] == []
    assert [name for name in archive.namelist() if planted_in(name.encode())] == []


def test_what_is_packed_is_looked_into() -> None:
    archive = BytesIO()
    with ZipFile(archive, "w", ZIP_DEFLATED) as file:
        file.writestr("study.json", f"{SAID['clinical_note']} " * 9)
    for data in (archive.getvalue(), gzip.compress(FILE_NAME.encode() * 9)):
        assert not planted_in(data)
    assert planted_in(unpacked(b"junk" + archive.getvalue())) == {"clinical_note"}
    assert planted_in(unpacked(gzip.compress(FILE_NAME.encode() * 9))) == {"file name"}


def test_nothing_is_kept_in_clear(running_site: Site, asked: list[httpx.Response]) -> None:
    site = running_site
    with site.database() as connection, connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
    places, found, seen, zips = 0, [], [], []
    for name, data in (*tables_as_text(site), *redis_as_text(site), *bytes_on_disk(site.var)):
        places += 1
        seen += [str(name)] if SENDER.encode() in data else []
        found += [(str(name), what) for what in planted_in(data + unpacked(data))]
        zips += [str(name)] if b"PK\x03\x04" in data[:4] else []
    print(f"planted {len(PLANTED)} strings, looked in {places} places, found {len(found)}")
    assert found == []
    assert zips == [], "packed exports lie sealed"
    assert any("/exports/" in str(path) for path, _ in bytes_on_disk(site.var)), "there is one"
    # What is no secret is found in the same places, so that this would find what is one.
    for place in ("table auth_user", "/postgres/base/", "/postgres/pg_wal/"):
        assert any(place in name for name in seen), place
