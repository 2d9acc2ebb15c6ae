"""Makes the access log append-only, and creates the group of service accounts."""

from typing import Any

from django.db import migrations

REFUSE = """
CREATE FUNCTION accounts_access_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the access log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON accounts_accesslogentry
    FOR EACH ROW EXECUTE FUNCTION accounts_access_log_is_append_only();
"""
ALLOW = """
DROP TRIGGER append_only ON accounts_accesslogentry;
DROP FUNCTION accounts_access_log_is_append_only();
"""


def make_service_group(apps: Any, schema_editor: Any) -> None:
    apps.get_model("auth", "Group").objects.get_or_create(name="service")


class Migration(migrations.Migration):
    accepted = {
        "rows-and-schema-in-one-transaction": "It ran on an empty table, before the first release.",
    }
    dependencies = [("accounts", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.RunSQL(REFUSE, ALLOW),
        migrations.RunPython(make_service_group, migrations.RunPython.noop),
    ]
