"""Telling work that took too long from a database that is away."""

# A statement was cancelled, and a transaction or a pause in it was ended, by PostgreSQL's limits.
TIME_OUTS = {"57014", "25P03", "25P04"}


def took_too_long(error: BaseException) -> bool:
    """Whether PostgreSQL ended the statement or the transaction by one of its time limits."""
    return getattr(error.__cause__, "sqlstate", None) in TIME_OUTS
