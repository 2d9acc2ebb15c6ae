# Each target sets up what it needs. Nothing is installed outside .venv.
# PYTHON names the interpreter that creates .venv. ARGS is passed to pytest, the benchmarks or locust.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$name" && break; done)
IN_VENV = .venv/bin/python
COMPILE = .uv/bin/uv pip compile --quiet --universal --generate-hashes \
	--python-version 3.11 --no-emit-index-url
SPHINX = --fail-on-warning --keep-going --nitpicky --fresh-env --quiet --jobs auto

NODE = tests/clients/node_modules/.package-lock.json
VENV_FIRST = PATH="$(CURDIR)/.venv/bin:$$PATH"
IN_NODE = $(VENV_FIRST) npm --prefix tests/clients
CLIENTS = build/clients

.PHONY: help run password test storms test-clients test-containers check check-django clients \
	lint-schema bench load docs lock

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

run: .venv/.with-run ## Start the service, with its own PostgreSQL and Valkey and a demonstration.
	@exec $(IN_VENV) -m fido.embedded.launcher

password: ## Show the password of the demonstration's logins, ada and admin.
	@test -x $(IN_VENV) || { echo "There is no demonstration yet: \`make run\` loads one." >&2; exit 1; }
	@$(IN_VENV) -m fido.embedded.password

test: .venv/.with-dev .venv/.with-load .venv/.with-traces .venv/.with-docs ## Run the tests on all cores, without storms and containers.
	$(IN_VENV) -m pytest --numprocesses auto --dist worksteal $(ARGS)

storms: .venv/.with-dev .venv/.with-load .venv/.with-traces ## Run the long races and faults.
	$(IN_VENV) -m pytest -m storm $(ARGS)

test-clients: .venv/.with-dev clients ## Drive both clients through the whole tour.
	$(IN_VENV) -m pytest -m clients $(ARGS) tests/clients

test-containers: .venv/.with-dev ## Build the image, run it with the compose file, and try to break it.
	$(IN_VENV) -m pytest -m containers $(ARGS) tests/containers

check: .venv/.with-dev ## Run the linters, the type checker and Django's checks.
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -c 'from importlinter.cli import lint_imports_command as main; main()'
	@# Start the servers once for all these checks.
	@$(IN_VENV) -m fido.embedded $(MAKE) --no-print-directory check-django

check-django: .venv/.with-dev
	$(IN_VENV) manage.py makemigrations --check --dry-run
	$(IN_VENV) manage.py check_migrations
	HTTPS_ONLY=true $(IN_VENV) manage.py check --deploy --fail-level WARNING
	$(IN_VENV) manage.py spectacular --validate --fail-on-warn --file /dev/null

lint-schema: $(CLIENTS)/openapi.json $(NODE) ## Check the OpenAPI document by Redocly's and Spectral's rules.
	$(IN_NODE) run lint

clients: $(CLIENTS)/openapi.json $(NODE) ## Make a Python and a TypeScript client in build/clients.
	@rm -rf $(CLIENTS)/python
	$(VENV_FIRST) openapi-python-client generate --path $(CLIENTS)/openapi.json \
		--config tests/clients/python.yaml --meta none --fail-on-warning \
		--output-path $(CLIENTS)/python/fido_client
	$(IN_NODE) run generate

# Made anew each time: it depends on all of the service's code.
.PHONY: $(CLIENTS)/openapi.json
$(CLIENTS)/openapi.json: .venv/.with-dev .venv/.with-clients
	@mkdir -p $(CLIENTS)
	@$(IN_VENV) manage.py spectacular --format openapi-json --file $@

$(NODE): tests/clients/package.json tests/clients/package-lock.json .venv/.with-clients
	$(IN_NODE) ci --ignore-scripts --no-audit --no-fund
	@touch $@

bench: .venv/.with-dev .venv/.with-bench ## Measure what a request costs, beside what a lean stack would pay.
	$(IN_VENV) -m benchmarks $(ARGS)

load: .venv/.with-dev .venv/.with-load ## Put a minute of checked load on a new service, or on the one at HOST.
	$(IN_VENV) -m benchmarks.swarm $(if $(HOST),--host $(HOST)) $(ARGS)

docs: .venv/.with-docs ## Build the documentation as a site, in .site; a warning fails it.
	$(IN_VENV) docs/generate_configuration.py > docs/configuration.md
	$(IN_VENV) -m sphinx $(SPHINX) docs .site

lock: .venv/.with-dev .venv/.with-clients ## Lock the newest versions that pyproject.toml and package.json allow.
	$(COMPILE) --upgrade pyproject.toml -o requirements.txt
	$(COMPILE) --upgrade --group pyproject.toml:uv -o requirements-uv.txt
	for group in run dev; do \
		$(COMPILE) --upgrade -c requirements.txt --group pyproject.toml:$$group pyproject.toml \
			-o requirements-$$group.txt || exit; done
	for group in bench load traces clients docs; do \
		$(COMPILE) --upgrade -c requirements-dev.txt --group pyproject.toml:$$group \
			-o requirements-$$group.txt || exit; done
	$(IN_NODE) update --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts

.venv/.with-%: requirements-%.txt requirements-uv.txt
	@test -n "$(PYTHON)" || { \
		echo "Fido needs Python 3.11 or newer: install it, or set PYTHON to its path." >&2; exit 1; }
	@"$(PYTHON)" .ci/install $*
