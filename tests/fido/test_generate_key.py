"""`manage.py generate_key`, which generates what the settings require and so runs without them."""

import subprocess
import sys

import pytest
from django.conf import settings

from fido.env import Environment


def generate_key(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it like a newcomer, with an empty environment."""
    return subprocess.run(
        [sys.executable, "manage.py", "generate_key", *arguments],
        env={},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_makes_a_key_for_each_ring_that_the_settings_take() -> None:
    lines = generate_key().stdout.splitlines()

    made = dict(line.split("=", 1) for line in lines)
    assert list(made) == ["FERNET_KEYS", "BLIND_INDEX_KEYS"]
    assert Environment(made).fernet_keys("FERNET_KEYS") == [made["FERNET_KEYS"]]
    (index_key,) = Environment(made).index_keys("BLIND_INDEX_KEYS")
    assert len(index_key) == 32


@pytest.mark.parametrize("ring", ["FERNET_KEYS", "BLIND_INDEX_KEYS"])
def test_it_makes_one_ring_s_key_alone_and_another_one_each_time(ring: str) -> None:
    first, second = generate_key(ring), generate_key(ring)

    assert first.stdout.startswith(f"{ring}=")
    assert first.stdout.count("\n") == 1
    assert first.stdout != second.stdout


def test_an_unknown_ring_is_refused() -> None:
    refused = generate_key("SECRET_KEY")

    assert refused.returncode != 0
    assert refused.stdout == ""
    assert "invalid choice: 'SECRET_KEY'" in refused.stderr
