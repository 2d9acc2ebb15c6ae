from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Reads the whole table without blocking its readers and writers."""

    atomic = False
    dependencies = [("transactions", "0004_category")]

    operations = [
        ValidateConstraint(model_name="transaction", name="category_is_not_empty"),
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(
                condition=models.Q(("category__isnull", False)),
                fields=["user", "category", "transaction_date", "id"],
                name="history_by_category",
            ),
        ),
    ]
