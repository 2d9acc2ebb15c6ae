from django.db import migrations, models


class Migration(migrations.Migration):
    """Neither reads nor rewrites the table. The release before leaves the column null."""

    dependencies = [("transactions", "0005_history_by_category")]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="recorded_by",
            field=models.BigIntegerField(
                editable=False,
                help_text="The id of the user who recorded it for its user; null: its user did.",
                null=True,
            ),
        ),
    ]
