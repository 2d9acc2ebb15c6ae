"""`python -m fido.containers.collect_static FOLDER`: a step of building the image.

The settings require secrets and servers. Collecting files needs neither, and an image must not
contain secrets. So the settings get random values that end with the process.
"""

import os
import secrets
import sys

# The docs page uses Swagger UI, and nobody debugs its JavaScript here.
UNUSED = ["redoc", "*.map"]


def main(folder: str) -> None:
    os.environ.update(_placeholders(), STATIC_ROOT=folder, DJANGO_SETTINGS_MODULE="fido.settings")
    # Imported here because they read the settings.
    import django  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("collectstatic", interactive=False, ignore_patterns=UNUSED)


def _placeholders() -> dict[str, str]:
    # Imported here because it is not part of what a container runs later.
    from cryptography.fernet import Fernet  # noqa: PLC0415

    keys = {name: Fernet.generate_key().decode() for name in ("FERNET_KEYS", "BLIND_INDEX_KEYS")}
    random = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")}
    nowhere = {
        "DATABASE_URL": "postgres://nowhere.invalid/",
        "REDIS_URL": "redis://nowhere.invalid",
    }
    return keys | random | nowhere | {"ALLOWED_HOSTS": "localhost"}


if __name__ == "__main__":
    main(sys.argv[1])
