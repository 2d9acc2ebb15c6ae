"""HTTP: what all viewsets share, and how the domain's refusals become answers.

The top layer of fido.lib. Only the apps' entry points (`api` and the staff pages) import it.
"""
