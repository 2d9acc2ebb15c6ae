"""What every app may use, and what knows no app.

Three floors, which import downwards only: `api` (HTTP), `cache` (Redis), `values`. Beside them
stand `staff`, `outbound`, `commands` and `process`. `make check` refuses an import that goes up.
"""
