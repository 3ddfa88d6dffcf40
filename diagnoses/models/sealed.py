"""Columns that hold what tells of a person: sealed in the database, in clear where an instance is asked for them."""

from abc import abstractmethod
from datetime import date
from typing import Any, cast

from django import forms
from django.db import models
from django.db.models.query_utils import DeferredAttribute
from django.utils.translation import gettext

from diagnoses import sealing
from diagnoses.models.patient import Patient
from diagnoses.sealing import Sealed


class SealedRow(models.Model):
    """A row with sealed columns: it knows whose they are, and by which key it is known among its table's rows."""

    class Meta:
        abstract = True

    @abstractmethod
    def patient_of_row(self) -> Patient:
        """Whose key seals it. To be fetched along with the rows, or each of them costs a query."""

    @abstractmethod
    def key_of_row(self) -> str:
        """What no other row of its table has, known before it is saved."""


class _Opening(DeferredAttribute):
    """Opens a value when it is first asked for."""

    field: "SealedField"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Sealed):
            value = self.field.opened(instance, value)
            instance.__dict__[self.field.attname] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class SealedField(models.Field):  # type: ignore[type-arg] # it takes no parameters when it runs
    """A column that is sealed with the key of its row's patient. Nothing can be looked up or sorted by it."""

    descriptor_class = _Opening

    def get_internal_type(self) -> str:
        """Bytes, to the database."""
        return "BinaryField"

    def get_lookup(self, lookup_name: str) -> Any:
        """None but whether there is a value."""
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def from_db_value(self, value: Any, *args: Any) -> Any:
        """Still sealed: it is opened when it is asked for."""
        return None if value is None else Sealed(bytes(value))

    def pre_save(self, model_instance: Any, add: bool) -> Any:
        """What was not opened goes back as it came; nothing new is sealed without its patient's key."""
        value = model_instance.__dict__.get(self.attname)
        if isinstance(value, Sealed) or value is None:
            return value
        data = self.as_bytes(self.to_python(value))
        return seal_in(model_instance, self, data) if data else Sealed()

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """Sealed, or not at all."""
        if value is None:
            return None
        if value == "":
            value = Sealed()
        if not isinstance(value, Sealed):
            raise TypeError(f"{self.name} is sealed: save it through its row.")
        return connection.Database.Binary(bytes(value))

    def opened(self, row: SealedRow, sealed: Sealed) -> Any:
        """The value in clear; of an erased patient what stands for it."""
        patient = row.patient_of_row()
        if patient.erased_at:
            return self.erased()
        if not sealed:
            return self.from_bytes(b"")
        return self.from_bytes(sealing.unseal(patient.key, sealed, place_in(row, self)))

    def as_bytes(self, value: Any) -> bytes:
        """What is sealed of a value; empty where there is nothing to seal."""
        raise NotImplementedError

    def from_bytes(self, data: bytes) -> Any:
        """The value again."""
        raise NotImplementedError

    def erased(self) -> Any:
        """What is shown in the place of what nobody can open any more."""
        raise NotImplementedError


class SealedTextField(SealedField):
    """Text, of so many characters at most."""

    def as_bytes(self, value: str) -> bytes:
        """UTF-8."""
        return str(value).encode()

    def from_bytes(self, data: bytes) -> str:
        """The text again."""
        return data.decode()

    def erased(self) -> str:
        """The word for it."""
        return gettext("erased")

    def formfield(self, **kwargs: Any) -> Any:
        """A line of text, unless told otherwise."""
        return super().formfield(**{"form_class": forms.CharField, "max_length": self.max_length, **kwargs})


class SealedBytesField(SealedField):
    """Bytes, or none."""

    def as_bytes(self, value: bytes) -> bytes:
        """As they are."""
        return value

    def from_bytes(self, data: bytes) -> bytes | None:
        """The bytes again."""
        return data or None

    def erased(self) -> None:
        """None."""


class SealedDateField(SealedField):
    """A day."""

    def as_bytes(self, value: date | None) -> bytes:
        """ISO 8601."""
        return value.isoformat().encode() if value else b""

    def from_bytes(self, data: bytes) -> date | None:
        """The day again."""
        return date.fromisoformat(data.decode()) if data else None

    def erased(self) -> None:
        """No day."""

    def to_python(self, value: Any) -> date | None:
        """The day that is meant."""
        return cast("date | None", models.DateField().to_python(value))

    def formfield(self, **kwargs: Any) -> Any:
        """A field for a day."""
        return super().formfield(**{"form_class": forms.DateField, **kwargs})


def place_in(row: SealedRow, field: "models.Field[Any, Any]") -> str:
    """Where a value belongs: it opens in no other column, and in no other row."""
    return f"{row._meta.db_table}.{field.column}:{row.key_of_row()}"


def seal_in(row: SealedRow, field: "models.Field[Any, Any]", data: bytes) -> Sealed:
    """Data, sealed for its place with the key of the row's patient."""
    return sealing.seal(row.patient_of_row().key, data, place_in(row, field))
