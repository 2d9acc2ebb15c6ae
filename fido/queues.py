"""Which job waits in which queue, and the worker. docs/adr/0023-queues.md says why."""

JOBS = {
    "totals": ("analytics.fold_totals", "analytics.sweep_totals"),
    "alerts": ("alerts.check", "alerts.sweep_checks"),
    "webhooks": ("alerts.deliver", "alerts.sweep_deliveries"),
    "imports": ("imports.run_import", "imports.resume_imports"),
    "periodic": (
        "accounts.purge_sessions",
        "analytics.warm_cache",
        "checks.run_round",
        "fido.purge_idempotency_keys",
        "imports.remove_abandoned_uploads",
        "rates.sync",
    ),
}
# Those that beat asks for. A test compares them with its schedule.
PERIODIC = (
    *JOBS["periodic"],
    "alerts.sweep_checks",
    "alerts.sweep_deliveries",
    "analytics.sweep_totals",
    "imports.resume_imports",
)
# Those that have no port to be asked at, and note their progress in Redis.
PROCESSES = ("worker", "beat")
# The header that says when a message was sent, as a Unix time.
SENT_AT = "fido_sent_at"
# Earlier releases put all jobs into this one. After an upgrade it may still hold some.
FORMER = "celery"
# Those of a worker that is not told its queues.
NAMES = (*JOBS, FORMER)

# More than jobs that last long may take together; a test adds them up.
THREADS = 11
# Of `celery -A fido`. Threads, because jobs wait for the database rather than for the CPU, and a
# process pool sometimes takes half a minute to stop.
WORKER = (
    *("worker", "--pool=threads", f"--concurrency={THREADS}"),
    *("--without-mingle", "--without-gossip"),
)
