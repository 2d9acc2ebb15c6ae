from django.db import migrations, models


class Migration(migrations.Migration):
    """Neither reads nor rewrites the table. The release before leaves the column null."""

    dependencies = [("imports", "0005_mappings")]

    operations = [
        migrations.AddField(
            model_name="importbatch",
            name="owner_id",
            field=models.BigIntegerField(
                help_text="Whose rows they are; null: the import's user's, by an older release.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="importbatch",
            name="position",
            field=models.BigIntegerField(
                help_text="How many of the file's records, or of those of a batch, come before it."
            ),
        ),
    ]
