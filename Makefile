# Each target sets up what it needs. Nothing is installed outside .venv.
# PYTHON names the interpreter that creates .venv. ARGS is passed to pytest, the benchmarks or locust.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)
IN_VENV = .venv/bin/python
COMPILE = $(IN_VENV) -m uv pip compile --quiet --universal --generate-hashes \
	--python-version 3.11 --no-emit-index-url

.PHONY: help run test storms test-containers check check-django bench load lock

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

run: .venv/.installed ## Start the service, with its own PostgreSQL and Valkey and a demonstration.
	@exec $(IN_VENV) -m fido.embedded.launcher

test: .venv/.installed .venv/.with-load ## Run the tests on all cores, without storms and containers.
	$(IN_VENV) -m pytest --numprocesses auto --dist worksteal $(ARGS)

storms: .venv/.installed .venv/.with-load ## Run the long races and faults.
	$(IN_VENV) -m pytest -m storm $(ARGS)

test-containers: .venv/.installed ## Build the image, run it with the compose file, and try to break it.
	$(IN_VENV) -m pytest -m containers $(ARGS) tests/containers

check: .venv/.installed ## Run the linters, the type checker and Django's checks.
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -c 'from importlinter.cli import lint_imports_command as main; main()'
	@# Start the servers once for all these checks.
	@$(IN_VENV) -m fido.embedded $(MAKE) --no-print-directory check-django

check-django: .venv/.installed
	$(IN_VENV) manage.py makemigrations --check --dry-run
	HTTPS_ONLY=true $(IN_VENV) manage.py check --deploy --fail-level WARNING
	$(IN_VENV) manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: .venv/.with-bench ## Measure what a request costs, beside what a lean stack would pay.
	$(IN_VENV) -m benchmarks $(ARGS)

load: .venv/.with-load ## Put a minute of checked load on a new service, or on the one at HOST.
	$(IN_VENV) -m benchmarks.swarm $(if $(HOST),--host $(HOST)) $(ARGS)

lock: .venv/.installed ## Lock the newest versions that pyproject.toml allows.
	$(COMPILE) --upgrade pyproject.toml -o requirements.txt
	$(COMPILE) --upgrade -c requirements.txt --group pyproject.toml:dev pyproject.toml \
		-o requirements-dev.txt
	$(COMPILE) --upgrade -c requirements-dev.txt --group pyproject.toml:bench \
		-o requirements-bench.txt
	$(COMPILE) --upgrade -c requirements-dev.txt --group pyproject.toml:load \
		-o requirements-load.txt

.venv/.with-%: requirements-%.txt .venv/.installed
	$(IN_VENV) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.installed: requirements-dev.txt
	@test -n "$(PYTHON)" || { \
		echo "Fido needs Python 3.11 or newer: install it, or set PYTHON to its path." >&2; exit 1; }
	@"$(PYTHON)" .ci/install
