"""Exit statuses that mean something to whoever started the process.

Apart, because what starts the service imports as little as it can.
"""

import os

# The process ended itself because something in it was stuck: it may be started again at once.
STUCK = os.EX_TEMPFAIL
