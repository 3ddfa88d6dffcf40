"""The main job on the whole site: from files that are sent in to answers that are fetched."""

import hashlib
import json
from pathlib import Path
from typing import Any

import data_store
import httpx
import pydicom
import pytest

from diagnoses.imaging.polyglots import without_preamble
from tests import pictures
from tests.integration.site import Site, ended_study, post_study

RADIOGRAPHS = Path(data_store.__file__).parent / "data"
PASSWORD = "an outsider's long password"


def radiograph(name: str) -> tuple[str, bytes]:
    """One of these begins as a TIFF, too, and would be refused as a file of two kinds."""
    return f"{name}.dcm", without_preamble((RADIOGRAPHS / f"{name}.dcm").read_bytes())


def pixels(data: bytes) -> bytes:
    with pydicom.dcmread(pydicom.filebase.DicomBytesIO(data)) as dataset:
        return bytes(dataset.pixel_array.tobytes())


@pytest.fixture(scope="module")
def outsider(running_site: Site) -> str:
    """Another clinician: allowed to do everything, and to see nothing of the first one's."""
    running_site.add_clinician("main-job-outsider", PASSWORD)
    return "main-job-outsider"


def read_one(client: httpx.Client, name: str, data: bytes) -> dict[str, Any]:
    """Send one file, and wait for its entry with the answer."""
    answer = post_study(client, [(name, data)])
    assert answer.status_code == 202, answer.text
    image: dict[str, Any] = ended_study(client, answer.json()["id"])["images"][0]
    return image


def test_one_upload_becomes_one_result(site: Site, client: httpx.Client) -> None:
    sent = pictures.png(pictures.phantom(seed=1))
    answer = post_study(client, [("chest.png", sent)], patient_id="P-1")
    assert answer.status_code == 202
    assert [image["status"] for image in answer.json()["images"]] == ["queued"]
    study = ended_study(client, answer.json()["id"])
    assert study["patient_id"] == "P-1"
    [image] = study["images"]
    result = image["result"]
    assert image["status"] == "done"
    assert image["error"] is None
    assert (result["label"] == "PNEUMONIA") == (result["probability"] >= result["threshold"])
    assert result["image_sha256"] == hashlib.sha256(sent).hexdigest()
    assert result["model"] == "mobilenet_v2"
    assert result["timings_ms"]
    assert all(milliseconds >= 0 for milliseconds in result["timings_ms"].values())
    rows = site.rows(
        "SELECT r.score FROM diagnoses_result r JOIN diagnoses_job j ON j.id = r.job_id WHERE j.image_id = %s",
        image["id"],
    )
    assert rows == [(result["score"],)]


def test_one_request_waits_for_the_answer_and_the_database_tells_who_follows_the_study(
    site: Site, client: httpx.Client
) -> None:
    with site.database() as database, database.cursor() as cursor:
        cursor.execute("LISTEN cxr_study")
        study = post_study(client, [("chest.png", pictures.png(pictures.phantom(seed=5)))]).json()["id"]
        answer = client.get(f"studies/{study}/", params={"wait": 30})
        database.poll()
        told = [notice.payload for notice in database.notifies]
    assert [image["status"] for image in answer.json()["images"]] == ["done"]
    assert told == [study, study], "of the claim, and of the end"


@pytest.fixture(scope="module")
def scores(running_site: Site) -> dict[str, float]:
    """The scores of one radiograph in four encodings, sent together."""
    names = ["RG1_UNCR", "RG1_J2KR", "RG1_UNCI", "RG1_J2KI"]
    running_site.wait_until_ready()
    with running_site.client() as client:
        answer = post_study(client, [radiograph(name) for name in names])
        images = ended_study(client, answer.json()["id"])["images"]
    assert [image["status"] for image in images] == ["done"] * 4, images
    return {name: image["result"]["score"] for name, image in zip(names, images, strict=True)}


@pytest.mark.parametrize(("one", "other"), [("RG1_UNCR", "RG1_J2KR"), ("RG1_UNCI", "RG1_J2KI")])
def test_a_radiograph_and_its_compressed_twin_get_the_same_score_to_the_bit(
    scores: dict[str, float], one: str, other: str
) -> None:
    assert pixels(radiograph(one)[1]) == pixels(radiograph(other)[1]), "these two are no twins"
    assert scores[one] == scores[other]


def test_a_lossily_compressed_radiograph_gets_a_close_score(scores: dict[str, float]) -> None:
    assert pixels(radiograph("RG1_UNCR")[1]) != pixels(radiograph("RG1_J2KI")[1])
    assert scores["RG1_J2KI"] == pytest.approx(scores["RG1_UNCR"], abs=0.5)


def test_a_score_does_not_depend_on_the_company_in_which_an_image_is_sent(client: httpx.Client) -> None:
    files = [(f"{seed}.png", pictures.png(pictures.phantom(seed=seed))) for seed in range(20, 28)]
    answer = post_study(client, files)
    together = ended_study(client, answer.json()["id"])["images"]
    alone = read_one(client, *files[5])
    assert alone["result"]["score"] == pytest.approx(together[5]["result"]["score"], abs=1e-4)


def test_good_and_bad_files_in_one_study_each_get_their_own_answer(client: httpx.Client) -> None:
    phantom = pictures.phantom(seed=2)
    phantom[0, 0], phantom[0, 1] = 0, 255  # the whole range of grey levels, so that no stretching changes any
    files = [
        ("good.png", pictures.png(phantom)),
        ("words.txt", b"these are words"),
        ("good.jpg", pictures.jpeg(phantom)),
        ("empty.png", b""),
        ("good.dcm", pictures.dicom(phantom, WindowCenter=128, WindowWidth=256)),
        ("cut.png", pictures.png(phantom)[:2000]),
        ("tiny.png", pictures.png(phantom[:50, :50])),
    ]
    answer = post_study(client, files)
    assert answer.status_code == 202
    sent = answer.json()["images"]
    assert [image["filename"] for image in sent] == [name for name, _ in files]
    expected = ["done", "refused", "done", "refused", "done", "refused", "refused"]
    images = ended_study(client, answer.json()["id"])["images"]
    assert [image["status"] for image in images] == expected
    assert [image["filename"] for image in images] == [name for name, _ in files]
    codes = {image["filename"]: image["error"]["code"] for image in images if image["error"]}
    assert codes == {
        "words.txt": "unsupported_type",
        "empty.png": "empty_file",
        "cut.png": "damaged",
        "tiny.png": "too_small",
    }
    assert all(image["error"]["message"] for image in images if image["error"])
    png, jpeg, dicom = (image["result"]["score"] for image in images if image["status"] == "done")
    assert png == dicom
    assert jpeg == pytest.approx(png, abs=0.5)


def test_only_the_sender_can_fetch_picture_and_heatmap(site: Site, client: httpx.Client, outsider: str) -> None:
    answer = post_study(client, [("chest.png", pictures.png(pictures.phantom(seed=3)))])
    study = f"studies/{answer.json()['id']}/"
    image = ended_study(client, answer.json()["id"])["images"][0]
    picture, heatmap = f"images/{image['id']}/picture/", image["result"]["heatmap_url"]
    assert heatmap.startswith(site.url)
    shown = client.get(picture)
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    assert shown.content.startswith(b"\xff\xd8")
    jet, viridis = client.get(heatmap), client.get(heatmap, params={"palette": "viridis"})
    for coloured in (jet, viridis):
        assert (coloured.status_code, coloured.headers["Content-Type"]) == (200, "image/png")
        assert coloured.content.startswith(b"\x89PNG")
    assert jet.content != viridis.content
    with site.client(outsider) as stranger:
        assert [stranger.get(url).status_code for url in (study, picture, heatmap)] == [404, 404, 404]
    nobody = httpx.Client(base_url=client.base_url)
    with nobody:
        assert [nobody.get(url).status_code for url in (study, picture, heatmap)] == [401, 401, 401]


def test_the_bytes_that_were_sent_are_kept_unchanged(site: Site, client: httpx.Client) -> None:
    name, data = radiograph("RG1_J2KI")
    image = read_one(client, name, data)
    [(stored_name, sha256)] = site.rows("SELECT stored_name, sha256 FROM diagnoses_image WHERE id = %s", image["id"])
    stored = site.file(stored_name)
    assert site.opened()[stored_name] == hashlib.sha256(data).hexdigest()
    assert data[:4096] not in stored.read_bytes(), "it is sealed"
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert stored.stat().st_mode & 0o777 == 0o600
    assert name not in stored_name


def test_submit_waits_prints_the_study_and_says_with_its_status_how_it_went(site: Site, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.txt"
    good.write_bytes(pictures.png(pictures.phantom(seed=4)))
    bad.write_text("no picture")
    options = ("--user", "clinician", "--wait", "--json")
    all_well = site.manage("submit", str(good), *options, "--patient-id", "P-7")
    assert all_well.returncode == 0, all_well.stderr
    study = json.loads(all_well.stdout)
    assert study["patient_id"] == "P-7"
    assert [image["status"] for image in study["images"]] == ["done"]
    assert 0 <= study["images"][0]["result"]["probability"] <= 1
    some_refused = site.manage("submit", str(tmp_path), *options)
    assert some_refused.returncode == 1, some_refused.stderr
    assert [image["status"] for image in json.loads(some_refused.stdout)["images"]] == ["refused", "done"]
    nothing_taken = site.manage("submit", str(bad), *options)
    assert nothing_taken.returncode == 2, nothing_taken.stderr
    assert json.loads(nothing_taken.stdout)["id"] is None


def test_the_site_says_that_it_is_ready(site: Site) -> None:
    answer = httpx.get(f"{site.url}/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")
