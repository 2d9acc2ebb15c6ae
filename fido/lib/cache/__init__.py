"""Redis: cached answers that are never stale, counters, and jobs.

It knows neither HTTP nor any app, so the apps' domain code may use it.
"""
