"""What users choose: language, brightness, saved views."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "__first__"),
        ("diagnoses", "0019_batches_and_uploads"),
    ]

    operations = [
        migrations.CreateModel(
            name="Profile",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="profile",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        choices=[("en", "English"), ("vi", "Tiếng Việt")],
                        help_text="Empty: as the browser asks.",
                        max_length=2,
                    ),
                ),
                (
                    "theme",
                    models.CharField(
                        choices=[("system", "As the system is set"), ("light", "Light"), ("dark", "Dark")],
                        default="system",
                        max_length=6,
                    ),
                ),
                (
                    "reads_first",
                    models.BooleanField(default=False, help_text="Answers stay hidden until the user has read."),
                ),
                ("wants_mail", models.BooleanField(default=False, help_text="Notices are sent by e-mail, too.")),
                ("history_columns", models.JSONField(blank=True, default=list, help_text="Empty: the usual ones.")),
            ],
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("page", models.CharField(help_text="The address's name of the page that it filters.", max_length=16)),
                ("name", models.CharField(max_length=64)),
                ("query", models.CharField(blank=True, max_length=1000)),
            ],
            options={
                "ordering": ["page", "name"],
            },
        ),
        migrations.AddField(
            model_name="savedview",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="saved_views", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("user", "page", "name"), name="saved_view_name_unique"),
        ),
    ]
