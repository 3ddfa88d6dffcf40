"""What is sealed opens where it belongs and nowhere else, and is found without being opened."""

import base64
import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import FieldError
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cxrsite.env import DataKeys, data_keys_of
from diagnoses import sealing
from diagnoses.models import ModelVersion, Patient, Study
from diagnoses.searching import SearchError, opened_query, sealed_query, untelling
from diagnoses.selectors.patients import find_patient
from diagnoses.services.patients import patient_for
from diagnoses.states import JobStatus
from tests.conftest import api_of
from tests.diagnoses.factory import make_reading, make_study

KEY = bytes(range(32))
_ENCODED = base64.b64encode(KEY).decode()
_OTHER = base64.b64encode(KEY[::-1]).decode()


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    sealed = sealing.seal(KEY, b"Nguyen", "table.column:1")
    assert sealing.unseal(KEY, sealed, "table.column:1") == b"Nguyen"
    for key, data, place in (
        (KEY, sealed, "table.column:2"),
        (KEY[::-1], sealed, "table.column:1"),
        (KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), "table.column:1"),
        (KEY, b"\x02" + sealed[1:], "table.column:1"),
        (KEY, b"", "table.column:1"),
    ):
        with pytest.raises(sealing.SealError):
            sealing.unseal(key, data, place)


def test_the_same_text_is_never_sealed_the_same_and_shows_nothing_of_itself() -> None:
    one, other = (sealing.seal(KEY, b"Nguyen", "a") for _ in range(2))
    assert one != other
    assert str(one) == repr(one) == "<sealed>"


@pytest.mark.parametrize("text", ["", f"1:{_ENCODED}", f"index:{_ENCODED}", f"1:short,index:{_ENCODED}", "1:%,index:%"])
def test_keys_that_are_none_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        data_keys_of(text)
    assert _ENCODED not in str(refused.value)


@pytest.mark.parametrize("name", ["0", "256", "-1", "a", "01"])
def test_a_version_is_a_number_of_one_byte(name: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 255"):
        data_keys_of(f"{name}:{_ENCODED},index:{_OTHER}")


def test_a_key_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        data_keys_of(f"1:{_ENCODED},index:{_ENCODED}")


def test_the_database_holds_no_identifier_in_clear(clinician: User, model_version: ModelVersion) -> None:
    said = {"patient_id": "P-4711", "accession_number": "ACC-4712", "clinical_note": "Sốt cao 4713"}
    study = make_study(clinician, model_version, JobStatus.DONE, **said, patient_birth_date="2020-02-03")
    make_reading(study.images.get(), clinician, text="Said 4714")
    with connection.cursor() as cursor:
        for table in ("study", "image", "job", "patient", "reading"):
            cursor.execute(f"SELECT string_agg(row::text, ' ') FROM diagnoses_{table} row")
            (text,) = cursor.fetchone()
            for planted in ("4711", "4712", "4713", "4714", "2020-02-03", "chest-0"):
                assert planted.encode().hex() not in text, table
                assert planted not in text.replace(study.pk.hex, ""), table
    again = Study.objects.get()
    assert {name: getattr(again, name) for name in said} == said
    assert again.patient_birth_date is not None
    assert again.images.get().filename == "chest-0.png"
    assert again.images.get().readings.get().text == "Said 4714"


def test_a_value_that_is_moved_to_another_row_does_not_open(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, patient_id="P-1", accession_number="A-1")
    make_study(clinician, model_version, patient_id="P-1", accession_number="A-2")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE diagnoses_study SET accession_number = (SELECT min(accession_number) FROM diagnoses_study)"
        )
    opened = 0
    for study in Study.objects.all():
        try:
            opened += bool(study.accession_number)
        except sealing.SealError:
            continue
    assert opened == 1


def test_nothing_is_looked_up_by_what_is_sealed(db: None) -> None:
    for wanted in ({"patient_id": "P-1"}, {"clinical_note__icontains": "a"}):
        with pytest.raises(FieldError):
            Study.objects.filter(**wanted).exists()


def test_text_in_clear_cannot_be_written_past_the_seal(clinician: User, model_version: ModelVersion) -> None:
    make_study(clinician, model_version, patient_id="P-1")
    with pytest.raises(TypeError, match="sealed"):
        Study.objects.update(patient_id="P-2")


def test_a_patient_is_one_however_the_id_is_spaced_and_cased(db: None) -> None:
    patient = patient_for("P-1a")
    assert patient_for(" p-1A ") == find_patient("P-1A\n") == patient
    assert find_patient("P-1") is None
    assert find_patient(" ") is None


def test_studies_without_a_patient_id_are_of_a_patient_each(db: None) -> None:
    assert patient_for("") != patient_for("")
    assert {patient.index for patient in Patient.objects.all()} == {None}


def test_a_patient_who_is_made_twice_at_once_is_made_once(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = patient_for("P-1")
    found = iter([None, first])
    monkeypatch.setattr("diagnoses.services.patients._held", lambda index: next(found))
    assert patient_for("P-1") == first
    assert Patient.objects.count() == 1


def test_a_patient_is_held_while_a_study_is_made(db: None) -> None:
    patient_for("P-1")
    with CaptureQueriesContext(connection) as queries:
        patient_for("P-1")
    assert "FOR NO KEY UPDATE" in " ".join(query["sql"] for query in queries)


def test_an_address_tells_of_no_patient_and_opens_for_its_user_alone() -> None:
    sealed = sealed_query(7, QueryDict("search=Sốt cao&patient_id=P-1&label=NORMAL"))
    assert list(sealed) == ["label", "find"]
    assert opened_query(7, sealed).dict() == {"search": "Sốt cao", "patient_id": "P-1", "label": "NORMAL"}
    assert untelling(sealed.urlencode()) == {"find": "yes", "label": "NORMAL"}
    with pytest.raises(SearchError):
        opened_query(8, sealed)
    for cut in (sealed["find"][:-3], "é", "AAAA", "="):
        with pytest.raises(SearchError):
            opened_query(7, QueryDict(f"find={cut}"))


def test_a_filter_is_sent_as_a_form_and_leads_to_an_address_that_tells_nothing(
    browser: Client, clinician: User, model_version: ModelVersion
) -> None:
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-4711")
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-4712")
    for page in ("history", "worklist"):
        answer = browser.post(reverse("find", args=[page]), {"search": "P-4711", "label": ""})
        assert re.fullmatch(rf"{reverse(page)}\?find=[\w%-]+", answer["Location"])
        shown = browser.get(answer["Location"]).content.decode()
        assert "P-4711" in shown
        assert "P-4712" not in shown
    assert browser.post(reverse("find", args=["nowhere"])).status_code == 404


def test_an_address_that_tells_of_a_patient_leads_to_one_that_does_not(browser: Client) -> None:
    for name in ("history", "history_csv", "worklist"):
        answer = browser.get(reverse(name), {"search": "P-4711", "urgent": "1"})
        assert re.fullmatch(rf"{reverse(name)}\?urgent=1&find=[\w%-]+", answer["Location"])


def test_another_users_search_does_not_open(browser: Client, outsider: User) -> None:
    query = sealed_query(outsider.pk, QueryDict("search=a")).urlencode()
    assert browser.get(f"{reverse('history')}?{query}").status_code == 400
    assert browser.get(f"{reverse('worklist_changes')}?{query}").status_code == 400
    assert browser.get(f"{reverse('worklist')}?{query}")["Location"] == reverse("worklist")
    assert browser.post(reverse("exports"), {"query": query}).status_code == 400


def test_the_api_takes_searches_in_a_body_alone(clinician: User, model_version: ModelVersion) -> None:
    api = api_of(clinician)
    make_study(clinician, model_version, JobStatus.DONE, patient_id="P-4711")
    assert list(api.get(reverse("api_studies"), {"patient_id": "P-4711"}).json()) == ["patient_id"]
    assert api.get(reverse("api_studies"), {"find": "AAAA"}).status_code == 400
    assert api.post(reverse("api_searches"), {}).status_code == 400
    find = api.post(reverse("api_searches"), {"patient_id": "p-4711"})
    assert find.status_code == 201
    assert len(api.get(reverse("api_studies"), find.json()).json()["results"]) == 1


def test_what_an_address_says_in_clear_is_not_listened_to() -> None:
    assert opened_query(7, QueryDict("search=a&patient_id=b&sex=F")).dict() == {"sex": "F"}


def test_what_stands_for_words_changes_with_the_index_key_alone(settings: LazySettings) -> None:
    keys: Any = settings.CXR_DATA_KEYS
    before = sealing.words_of("Sốt"), sealing.patient_index("P-1")
    settings.CXR_DATA_KEYS = DataKeys({1: KEY, 2: KEY[::-1]}, keys.index)
    assert (sealing.words_of("Sốt"), sealing.patient_index("P-1")) == before
    settings.CXR_DATA_KEYS = DataKeys(keys.sealing, KEY)
    assert (sealing.words_of("Sốt"), sealing.patient_index("P-1")) != before
