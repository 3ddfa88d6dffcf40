"""What a user chooses, and where it holds."""

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from diagnoses.models import Profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(clinician: User) -> Client:
    browser = Client()
    browser.force_login(clinician)
    return browser


def choose(browser: Client, what: str, **values: str) -> None:
    answer = browser.post(reverse(f"set_{what}"), values)
    assert answer.status_code == 302, answer.content


def test_a_language_is_kept_for_the_user_wherever_they_sign_in(browser: Client, clinician: User) -> None:
    choose(browser, "language", language="vi")
    assert '<html lang="vi"' in browser.get(reverse("history")).content.decode()
    elsewhere = Client()
    elsewhere.force_login(clinician)
    assert '<html lang="vi"' in elsewhere.get(reverse("history")).content.decode()


def test_a_users_own_language_goes_before_the_browsers(browser: Client) -> None:
    choose(browser, "language", language="en")
    assert '<html lang="en"' in browser.get(reverse("history"), headers={"accept-language": "vi"}).content.decode()


def test_the_browsers_language_is_spoken_where_nobody_chose(browser: Client) -> None:
    assert '<html lang="vi"' in browser.get(reverse("history"), headers={"accept-language": "vi"}).content.decode()


def test_an_outsider_chooses_a_language_for_their_browser_alone() -> None:
    browser = Client()
    choose(browser, "language", language="vi")
    assert '<html lang="vi"' in browser.get(reverse("sign_in")).content.decode()
    assert not Profile.objects.exists()


def test_an_unknown_language_changes_nothing(browser: Client) -> None:
    choose(browser, "language", language="xx")
    assert '<html lang="en"' in browser.get(reverse("history")).content.decode()


def test_a_brightness_is_on_the_page_before_any_script_runs(browser: Client) -> None:
    choose(browser, "theme", theme="dark")
    assert 'data-bs-theme="dark"' in browser.get(reverse("history")).content.decode()


def test_the_way_back_leads_to_our_own_pages_alone(browser: Client) -> None:
    answer = browser.post(reverse("set_theme"), {"theme": "dark", "next": "/history/?search=a"})
    assert answer["Location"] == "/history/?search=a"
    answer = browser.post(reverse("set_theme"), {"theme": "dark", "next": "https://elsewhere.example/"})
    assert answer["Location"] == reverse("worklist")


def test_an_outsider_has_no_brightness_and_no_preferences() -> None:
    for answer in (Client().post(reverse("set_theme"), {"theme": "dark"}), Client().get(reverse("preferences"))):
        assert answer["Location"].startswith(reverse("sign_in"))


def test_all_choices_are_on_one_page_and_saved(browser: Client, clinician: User, settings: LazySettings) -> None:
    settings.CXR_SENDS_MAIL = True
    clinician.email = "clinician@hospital.example"
    clinician.save()
    choices = {"language": "vi", "theme": "dark", "reads_first": "on", "wants_mail": "on"}
    page = browser.post(reverse("preferences"), choices, follow=True).content.decode()
    assert '<html lang="vi"' in page
    assert Profile.objects.values("language", "theme", "reads_first", "wants_mail").get() == {
        "language": "vi",
        "theme": "dark",
        "reads_first": True,
        "wants_mail": True,
    }


def test_mail_needs_a_server(browser: Client, clinician: User) -> None:
    clinician.email = "clinician@hospital.example"
    clinician.save()
    assert "it has no mail server" in browser.get(reverse("preferences")).content.decode()
    browser.post(reverse("preferences"), {"language": "", "theme": "system", "wants_mail": "on"})
    assert not Profile.objects.get().wants_mail


def test_mail_needs_an_address(browser: Client, settings: LazySettings) -> None:
    settings.CXR_SENDS_MAIL = True
    page = browser.get(reverse("preferences")).content.decode()
    assert "no e-mail address" in page
    browser.post(reverse("preferences"), {"language": "", "theme": "system", "wants_mail": "on"})
    assert not Profile.objects.get().wants_mail
