"""What an operator's gauges show: how much waits, for how long, and who has gone silent.

Each scrape reads them anew from PostgreSQL and Redis. No process keeps one, so none is left by a
dead process, and none is counted twice. docs/adr/0026-operators-metrics.md gives the reasons.
"""
