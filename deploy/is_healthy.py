#!/opt/healing/bin/python
"""Exit code 0 when an address answers with 200 within four seconds; the image has no curl."""

import sys
from urllib.request import urlopen

try:
    with urlopen(sys.argv[1], timeout=4) as answer:  # noqa: S310 (the address is ours)  # nosec B310
        sys.exit(0 if answer.status == 200 else 1)
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error}")
