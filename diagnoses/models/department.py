"""Where users work."""

from django.db import models


class Department(models.Model):
    """A ward or clinic, whose members see what each of them sends. A closed one shows its members nothing more."""

    name = models.CharField(max_length=80, unique=True)
    active = models.BooleanField(default=True, help_text="A closed one is kept for the record, and counts as none.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
