"""Since when a user reads first, so that a reading counts as blind only where its answer came later."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0026_worklist"),
    ]

    operations = [
        migrations.AddField(
            model_name="profile",
            name="reads_first_since",
            field=models.DateTimeField(blank=True, editable=False, help_text="Of the last switch to it.", null=True),
        ),
    ]
