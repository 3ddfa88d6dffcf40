"""What was sent in one go belongs together, and each file has its sender's own key."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("diagnoses", "0018_more_on_record_still"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="study",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("see_every_study", "Can see every study of the site"),
                    ("see_site_figures", "Can see the figures of the whole site"),
                ],
                "verbose_name_plural": "studies",
            },
        ),
        migrations.AddField(
            model_name="image",
            name="upload_key",
            field=models.UUIDField(blank=True, editable=False, help_text="Its sender's own for this file.", null=True),
        ),
        migrations.AddField(
            model_name="rejectedfile",
            name="upload_key",
            field=models.UUIDField(blank=True, editable=False, help_text="Its sender's own for this file.", null=True),
        ),
        migrations.AddField(
            model_name="study",
            name="batch",
            field=models.UUIDField(
                blank=True, editable=False, help_text="What was sent in one go has the same.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="image",
            index=models.Index(fields=["sha256"], name="image_content"),
        ),
        migrations.AddIndex(
            model_name="study",
            index=models.Index(
                condition=models.Q(("batch", None), _negated=True), fields=["batch"], name="study_of_batch"
            ),
        ),
        migrations.AddConstraint(
            model_name="image",
            constraint=models.UniqueConstraint(fields=("study", "upload_key"), name="image_upload_unique"),
        ),
        migrations.AddConstraint(
            model_name="rejectedfile",
            constraint=models.UniqueConstraint(fields=("study", "upload_key"), name="rejected_upload_unique"),
        ),
    ]
