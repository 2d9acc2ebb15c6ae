"""Without requirements-traces.txt these tests are skipped; `make test` installs it."""

import pytest

pytest.importorskip("opentelemetry.proto", reason="requirements-traces.txt is not installed")
