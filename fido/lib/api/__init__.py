"""HTTP: what every viewset shares, and how the domain's refusals become answers.

The highest floor. Only the doors of the apps (their `api` and their staff pages) import it.
"""
