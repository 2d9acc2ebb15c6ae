# One image for web, worker, beat and one-off commands (`manage.py ...`); docs/adr/0015-containers.md
# gives the reasons. The stage `test` is for the test suite and is not deployed.
ARG PYTHON_IMAGE=python:3.13-slim

# --- production packages -----------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /build
# More packages, such as requirements-traces.txt.
ARG EXTRA=
COPY requirements.txt requirements-traces.txt ./
# Wheels only: nothing is compiled from source, here or later. The translations are removed, because
# the admin is in English and a running service never reads them.
RUN python -m venv --without-pip /opt/fido \
    && pip --python /opt/fido/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --no-compile --require-hashes -r requirements.txt ${EXTRA:+-r "$EXTRA"} \
    && find /opt/fido -path '*/locale/*' \( -name '*.po' -o -name '*.mo' \) ! -path '*/en/*' -delete \
    && python -m compileall -q -j 0 /opt/fido/lib

# --- the service's own files, and all static files -----------------------------------------------
FROM packages AS built
WORKDIR /app
COPY manage.py ./
COPY fido fido
COPY accounts accounts
COPY transactions transactions
COPY analytics analytics
# The embedded servers and their launcher are for development. Static files are collected, so the
# packages' own copies are not needed.
RUN rm -rf fido/embedded \
    && /opt/fido/bin/python -m fido.containers.collect_static /app/static \
    && find /opt/fido -path '*/site-packages/*' -name static -type d ! -exec test -e {}/__init__.py \; \
        -prune -exec rm -rf {} + \
    && python -m compileall -q fido accounts transactions analytics

# --- the test suite and its tools ----------------------------------------------------------------
FROM packages AS test
# Versions are not pinned: these are only test tools.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl make procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home fido \
    && install -d -o fido -g fido /app
WORKDIR /app
COPY requirements-dev.txt .
RUN pip --python /opt/fido/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary=:all: --require-hashes -r requirements-dev.txt
COPY --chown=fido:fido . .
USER 10001
ENV PATH=/opt/fido/bin:$PATH PYTHONUNBUFFERED=1
CMD ["python", "-m", "pytest"]

# --- what is deployed ------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS service
# Uploads wait in a volume. A new volume takes the owner of the folder that it is mounted over.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fido \
    && install -d -o fido -g fido -m 0700 /var/lib/fido /var/lib/fido/imports
COPY --from=built /opt/fido /opt/fido
COPY --from=built /app /app
WORKDIR /app
USER 10001
ENV PATH=/opt/fido/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=fido.settings \
    STATIC_ROOT=/app/static \
    IMPORTS_DIR=/var/lib/fido/imports \
    ALIVE_FILE=/tmp/fido-alive
EXPOSE 8000
# Liveness only. /readyz tells whether it can serve; failing that is no reason to kill it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-m", "fido.containers.probe", "/livez"]
CMD ["gunicorn", "--config=python:fido.serving.config", "--bind=0.0.0.0:8000", "fido.wsgi"]
