import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    """Neither reads nor rewrites the table; the release before leaves the new columns out."""

    accepted = {
        "ban-drop-not-null": "The release before shows an entry without a subject with a dash.",
    }
    dependencies = [("accounts", "0003_api_keys")]

    operations = [
        migrations.AddField(
            model_name="accesslogentry",
            name="address",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="Where the request came from.",
                max_length=45,
            ),
        ),
        migrations.AddField(
            model_name="accesslogentry",
            name="details",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="Of a search: a keyed digest of what was searched. Of a change: each "
                "field before and after, of personal data only that it was changed.",
            ),
        ),
        migrations.AddField(
            model_name="accesslogentry",
            name="request_id",
            field=models.CharField(blank=True, db_default="", max_length=128),
        ),
        # By hand, because Django would make the foreign key anew, for which it locks both tables.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "ALTER TABLE accounts_accesslogentry ALTER COLUMN subject_id DROP NOT NULL",
                    "ALTER TABLE accounts_accesslogentry ALTER COLUMN subject_id SET NOT NULL",
                )
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="accesslogentry",
                    name="subject",
                    field=models.ForeignKey(
                        help_text="The owner of the data; null: a search in everybody's.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
