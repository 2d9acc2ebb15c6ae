"""The base of the staff pages of all apps: the site, its forms, and who may read what.

It is separate from `accounts.admin`, which registers its pages on that site when it is imported.
"""
