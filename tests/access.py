"""Asking every address of the site, by every method, as everybody: what the checked-in table of answers is made of.

The addresses are those of the resolver, whoever brought them, so a new one cannot be left out. Each request starts from
the same rows: what it changes is undone.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from diagnoses.audit import user_actor
from diagnoses.models import (
    ApiToken,
    Department,
    EmergencyAccess,
    Export,
    ModelChange,
    ModelVersion,
    Profile,
    SavedView,
    Study,
)
from diagnoses.models.registry import ChangeKind
from diagnoses.roles import Role
from diagnoses.services.patients import patient_for
from diagnoses.services.registry import report_worker
from diagnoses.services.tokens import create_token
from diagnoses.states import JobStatus
from tests.conftest import api_of, make_user
from tests.diagnoses.conftest import browser_of
from tests.diagnoses.factory import make_export, make_study

TABLE = Path(__file__).with_name("access_table.txt")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
API = "api/"
PATIENT_ID = "P-0001"
NEEDS_FACTOR = "needs-factor"
"""The one role that asks for a second factor here, so that one column has to do with it and no other."""

_FORM: dict[bool, dict[str, Any]] = {True: {"format": "multipart"}, False: {}}
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")
_ANYTHING = {
    "palette": "jet",
    "page": "history",
    "token": "none-that-was-ever-made",
    "kind": "csv",
    "app_label": "diagnoses",
    "url": "nowhere",
    "content_type_id": "1",
    "view_id": "1",
    "rest": "1/1/",
}


def _clinician(name: str, ward: str) -> User:
    user = make_user(name, Role.CLINICIAN)
    Profile.objects.create(user=user, department=Department.objects.get_or_create(name=ward)[0])
    return user


def _deactivated() -> User:
    """A colleague who may not sign in any more; the session and the token are from before."""
    user = _clinician("deactivated", "Ward A")
    user.is_active = False
    user.save()
    return user


def _factorless() -> User:
    """A colleague whose role asks for a second factor, and who has none yet."""
    user = _clinician("factorless", "Ward A")
    user.groups.add(Group.objects.create(name=NEEDS_FACTOR))
    return user


PEOPLE: dict[str, Callable[[], User] | None] = {
    "anonymous": None,
    "sender": lambda: _clinician("sender", "Ward A"),
    "colleague": lambda: _clinician("colleague", "Ward A"),
    "outsider": lambda: _clinician("outsider", "Ward B"),
    "radiologist": lambda: make_user("radiologist", Role.RADIOLOGIST),
    "auditor": lambda: make_user("auditor", Role.AUDITOR, is_staff=True),
    "administrator": lambda: make_user("administrator", Role.ADMINISTRATOR, is_staff=True),
    "deactivated": _deactivated,
    "factorless": _factorless,
}
"""The columns of the table, each with what makes the account behind it."""


@dataclass(frozen=True)
class Address:
    """A place of the resolver, with its parameters unfilled."""

    route: str
    name: str

    @property
    def parameters(self) -> list[str]:
        """The names of what has to be filled in."""
        return [first or second for first, second in _PARAMETER.findall(self.route)]

    @property
    def is_api(self) -> bool:
        """Whether it is opened by tokens."""
        return self.route.startswith(API)

    @property
    def is_of_rows(self) -> bool:
        """Whether it names a row by a key that nobody guesses."""
        keys = {"study_id", "image_id", "job_id", "export_id", "access_id"}
        # The panel's page of who saw a study tells of the record, and is the same for one that never was.
        return bool(keys & set(self.parameters)) and not self.route.startswith("admin/")


def addresses() -> list[Address]:
    """All of them, in the resolver's order."""
    return list(_walk(get_resolver().url_patterns, "", ""))


def _walk(patterns: Iterable[URLPattern | URLResolver], before: str, space: str) -> Iterator[Address]:
    for pattern in patterns:
        route = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLPattern):
            yield Address(route.removesuffix("$"), f"{space}{pattern.name or ''}")
        else:
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, route, inner)


@dataclass
class House:
    """A site with a row of each kind, most of them the sender's, and everybody who may come by."""

    study: Study
    export: Export
    access: EmergencyAccess
    people: dict[str, User] = field(default_factory=dict)
    _clients: dict[tuple[str, bool], tuple[Client, SimpleCookie]] = field(default_factory=dict)

    def path(self, address: Address, **others: object) -> str:
        """Where the address leads to the rows of this house; `others` are put in their place."""
        image = self.study.images.get()
        values: dict[str, object] = {
            **_ANYTHING,
            "study_id": self.study.pk,
            "image_id": image.pk,
            "job_id": image.jobs.get().pk,
            "export_id": self.export.pk,
            "access_id": self.access.pk,
            "name": "mobilenet_v2" if "version" in address.parameters else "cases",
            "version": "1.0.0",
            "token_id": ApiToken.objects.get(name="A script of the sender's").pk,
            "pk": ModelVersion.objects.earliest("pk").pk,
            "id": self.people["sender"].pk,
            "object_id": self._row_of(address.route),
        } | others
        return "/" + _PARAMETER.sub(lambda found: str(values[found[1] or found[2]]), address.route)

    def _row_of(self, route: str) -> object:
        """A row of the model whose page of the panel this is."""
        _admin, app, model, *_ = [*route.split("/"), "", ""]
        if (app, model) == ("auth", "user"):
            return self.people["sender"].pk
        if not model or (app, model) not in {(m._meta.app_label, m._meta.model_name) for m in apps.get_models()}:
            return 1
        row = apps.get_model(app, model)._default_manager.first()
        return row.pk if row else 1

    def ask(self, who: str, address: Address, method: str, path: str = "") -> Any:
        """What they are answered; nothing of it stays."""
        client, cookies = self._client(who, address.is_api)
        client.cookies = SimpleCookie({name: morsel.value for name, morsel in cookies.items()})
        cache.clear()
        with transaction.atomic():
            target = path or self.path(address)
            if method == "POST":
                response = client.post(target, **_FORM[isinstance(client, APIClient)])
            else:
                response = client.generic(method, target)
            transaction.set_rollback(True)
        return response

    def _client(self, who: str, is_api: bool) -> tuple[Client, SimpleCookie]:
        if (who, is_api) not in self._clients:
            client = self._new_client(who, is_api)
            client.raise_request_exception = False
            self._clients[who, is_api] = client, client.cookies
        return self._clients[who, is_api]

    def _new_client(self, who: str, is_api: bool) -> Any:
        if who not in self.people:
            return Client()
        return api_of(self.people[who]) if is_api else browser_of(self.people[who])


def open_house(model_version: ModelVersion) -> House:
    """The house with all its rows."""
    report_worker(name="reader-1", model_versions=[model_version], engine="openvino")
    people = {name: make() for name, make in PEOPLE.items() if make}
    sender = people["sender"]
    details = {"patient_id": PATIENT_ID, "department": sender.profile.department}
    study = make_study(sender, model_version, JobStatus.DONE, **details)
    ModelChange.objects.create(kind=ChangeKind.PROMOTE, version=model_version, by="administrator", reason="It is good")
    create_token(actor=user_actor(sender), user=sender, name="A script of the sender's")
    SavedView.objects.create(pk=1, user=sender, page="worklist", name="Mine")
    access = EmergencyAccess.objects.create(
        user=sender, patient=patient_for(""), reason="Nobody else was there", until="9999-01-01T00:00Z"
    )
    return House(study, make_export(sender), access, people)


def answers(house: House) -> list[str]:
    """The table: a line for each address and each set of methods that are answered alike, a column for each person."""
    places = addresses()
    width = max(len(place.route) for place in places) + 2
    lines = [f"{'address':{width}}{'methods':42}" + " ".join(f"{who:>13}" for who in PEOPLE)]
    for place in places:
        path = house.path(place)
        rows: dict[tuple[int, ...], list[str]] = {}
        for method in METHODS:
            statuses = tuple(house.ask(who, place, method, path).status_code for who in PEOPLE)
            rows.setdefault(statuses, []).append(method)
        for statuses, methods in rows.items():
            said = " ".join(f"{status:>13}" for status in statuses)
            lines.append(f"/{place.route:{width - 1}}{' '.join(methods):42}{said}".rstrip())
    return lines


def unknown(address: Address) -> dict[str, object]:
    """Keys for its rows that nothing has."""
    return {name: uuid.uuid4() for name in address.parameters if name.endswith("_id") and name != "view_id"}


def shown_to(who: str) -> set[str]:
    """The names of all addresses that answer this person's GET with 200, as the checked-in table has it."""
    head, *lines = TABLE.read_text().splitlines()
    column = len(head.split()) - head.split().index(who)
    names = {f"/{place.route}": place.name for place in addresses()}
    rows = [line.split() for line in lines]
    return {names[row[0]] for row in rows if "GET" in row and row[-column] == "200"}
