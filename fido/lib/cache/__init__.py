"""Redis: answers that cannot be stale, counters, and jobs.

Knows neither HTTP nor any app; the domain of the apps may use it.
"""
