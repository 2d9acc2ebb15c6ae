from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The index of unfinished imports, with those that are being undone. Nobody waits for it."""

    atomic = False
    dependencies = [("imports", "0003_undo")]

    operations = [
        AddIndexConcurrently(
            model_name="import",
            index=models.Index(
                fields=["leased_until"],
                condition=models.Q(("status__in", ["queued", "running", "undoing"])),
                name="imports_not_ended",
            ),
        ),
        RemoveIndexConcurrently(model_name="import", name="imports_unfinished"),
    ]
