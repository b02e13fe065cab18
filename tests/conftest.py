"""For all tests. Loaded before any of them, and so before torch."""

import os

# As in gramophone.cli.main: on a machine with other work, spinning threads make the tests tens of times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
