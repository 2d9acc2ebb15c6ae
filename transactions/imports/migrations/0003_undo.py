import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import fido.lib.values.ids


class Migration(migrations.Migration):
    """Nothing is read or rewritten, and what the release before inserts has all defaults."""

    dependencies = [
        ("imports", "0002_what_a_banks_file_tells"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="import",
            name="kept",
            field=models.JSONField(
                db_default=[],
                default=list,
                help_text="The first 1,000 of them that it met: id and code.",
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_kept",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="Created rows that the latest undo has left."
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="rows_undone",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="Created rows that an undo has deleted."
            ),
        ),
        migrations.AddField(
            model_name="import",
            name="undone_to",
            field=models.BigIntegerField(
                blank=True,
                help_text="The position of the batch that an undo did last.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="import",
            name="status",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                    ("undoing", "Undoing"),
                    ("undone", "Undone"),
                ],
                default="queued",
                max_length=9,
            ),
        ),
        migrations.CreateModel(
            name="ImportBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fido.lib.values.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "position",
                    models.BigIntegerField(
                        help_text="How many of the file's records come before it."
                    ),
                ),
                ("first", models.UUIDField()),
                ("last", models.UUIDField()),
                ("rows", models.IntegerField(help_text="How many it created.")),
                (
                    "left",
                    models.IntegerField(
                        help_text="How many of them were there after the latest undo."
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="imports.import",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "source", "position"), name="import_batch_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("first__lte", models.F("last"))),
                        name="import_batch_in_order",
                    ),
                ],
            },
        ),
    ]
