"""Fetch the script that draws the documentation's diagrams, once, from the npm registry.

`make docs` runs it. Without npm, or without a network, the site shows the diagrams as text.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

INTO = Path(__file__).parents[1] / "build" / "mermaid" / "mermaid.min.js"
PACKAGE, WANTED = "mermaid@12.3.0", "package/dist/mermaid.min.js"
SHA512 = "4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
WITHIN_S = 120


def main() -> int:
    """Fetch it unless it is there; always 0, since the site can do without."""
    if INTO.exists():
        return 0
    npm = shutil.which("npm")
    if npm is None:
        print("There is no npm to fetch the diagrams' script with: they are shown as text.")
        return 0
    print(f"Fetching {PACKAGE} for the diagrams (once) ...")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(  # noqa: S603 (npm, by its path, without a shell)
                [npm, "pack", "--silent", PACKAGE],
                cwd=folder,
                check=True,
                timeout=WITHIN_S,
                capture_output=True,
            )
        except (subprocess.SubprocessError, OSError) as error:
            print(f"It could not be fetched ({error}): diagrams are shown as text.")
            return 0
        (packed,) = Path(folder).glob("*.tgz")
        whole = packed.read_bytes()
    if base64.b64encode(hashlib.sha512(whole).digest()).decode() != SHA512:
        print(f"What the registry has as {PACKAGE} is not what was looked at: it is not used.")
        return 0
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        script = archive.extractfile(WANTED)
        assert script is not None, "the archive's content is known by its hash"
        INTO.parent.mkdir(parents=True, exist_ok=True)
        INTO.write_bytes(script.read())
    return 0


if __name__ == "__main__":
    sys.exit(main())
