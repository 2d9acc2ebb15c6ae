"""A process that encodes batches: `python -m transactions.imports.encoder`. It speaks pickle.

It ends when its standard input closes, so it never outlives its parent.
"""

import contextlib
import pickle
import sys

from transactions.imports.encoding import Encoder


def main() -> None:
    # Only our own parent writes here.
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.suppress(EOFError, KeyboardInterrupt, BrokenPipeError):
        encoder = Encoder(pickle.load(asked))  # noqa: S301
        while True:
            batch = pickle.load(asked)  # noqa: S301
            encoded = [encoder.encode(share) for share in batch]
            pickle.dump(encoded, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()


if __name__ == "__main__":
    main()
