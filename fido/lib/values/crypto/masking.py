"""How names appear to those who may not, or need not, read them."""

HIDDEN = "•••"


def masked_name(name: str | None) -> str | None:
    """The first letter of each word: `J••• D•••`. None, as for a damaged token, stays None."""
    return name and " ".join(word[0] + HIDDEN for word in name.split())


def masked_email(address: str | None) -> str | None:
    """The first letter and the top-level domain: `j•••@•••.com`."""
    if not address:
        return address
    # jane@localhost has no top-level domain, and would be shown whole.
    _, point, top = address.rpartition("@")[2].rpartition(".")
    return f"{address[0]}{HIDDEN}@{HIDDEN}" + (point and point + top)
