"""What every app may use. It knows no app.

Three layers, which import downwards only: `api` (HTTP), `cache` (Redis), `values`. Next to them are
`staff`, `outbound`, `commands` and `process`. `make check` refuses an upward import.
"""
