"""A version of a model is its card: which one is live is the site's choice, and the band travels with it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("diagnoses", "0003_roles")]

    operations = [
        migrations.AlterModelOptions(
            name="modelversion",
            options={
                "ordering": ["name", "version"],
                "permissions": [("promote_modelversion", "Can choose the model that reads, and the one beside it")],
            },
        ),
        migrations.AddField(
            model_name="modelversion",
            name="card_sha256",
            # Filled in by the next migration, which also makes it unique.
            field=models.CharField(default="", help_text="Of the card, as canonical JSON.", max_length=64),
            preserve_default=False,
        ),
        migrations.AlterField(model_name="modelversion", name="weights_sha256", field=models.CharField(max_length=64)),
        migrations.AddField(
            model_name="modelversion",
            name="band_low",
            field=models.FloatField(default=0, help_text="Calibrated probability from which the product cannot tell."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="modelversion",
            name="band_high",
            field=models.FloatField(default=0, help_text="Calibrated probability from which it can tell again."),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="modelversion",
            name="standing",
            field=models.CharField(
                choices=[("candidate", "Candidate"), ("live", "Default"), ("shadow", "Shadow")],
                default="candidate",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="modelversion",
            name="available",
            field=models.BooleanField(default=False, help_text="Whether this installation ships its files."),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("standing", "live")), fields=("standing",), name="model_version_one_live"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.UniqueConstraint(
                condition=models.Q(("standing", "shadow")), fields=("standing",), name="model_version_one_shadow"
            ),
        ),
    ]
