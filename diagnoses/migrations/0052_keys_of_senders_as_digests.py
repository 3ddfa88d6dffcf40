"""Of a sender's own key for a study a digest is kept: programs take accession numbers for it."""

from typing import Any

from django.db import migrations, models

from diagnoses import sealing

_AT_ONCE = 1000


def keep_digests(apps: Any, schema_editor: Any) -> None:
    """Of all keys that are there. What is sent again is known as before."""
    model = apps.get_model("diagnoses", "Study")
    found = []
    for study in model.objects.exclude(idempotency_key="").only("idempotency_key").iterator(chunk_size=_AT_ONCE):
        study.idempotency_key = sealing.key_digest(study.idempotency_key)
        found.append(study)
        if len(found) == _AT_ONCE:
            model.objects.bulk_update(found, ["idempotency_key"])
            found = []
    model.objects.bulk_update(found, ["idempotency_key"])


class Migration(migrations.Migration):
    """The column is as wide as it was: a narrower one would be written anew."""

    dependencies = [("diagnoses", "0051_audit_by_address")]
    operations = [
        migrations.AlterField(
            "study",
            "idempotency_key",
            models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="What stands for its sender's own, so that sending it again adds nothing.",
                max_length=255,
            ),
        ),
        migrations.RunPython(keep_digests, migrations.RunPython.noop),
    ]
