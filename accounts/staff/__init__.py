"""What the staff's pages of all apps are built on: the site, its forms, and who may read what.

Apart from `accounts.admin`, which registers its pages on that site when it is imported.
"""
