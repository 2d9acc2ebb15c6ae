"""`make password`: the password of the demonstration's logins."""

import sys

from fido.embedded import StartRefused, State


def main() -> None:
    try:
        password = State().demo_password()
    except StartRefused as refusal:
        sys.exit(str(refusal))
    if password is None:
        sys.exit("There is no demonstration yet: `make run` loads one.")
    print(password)


if __name__ == "__main__":
    main()
