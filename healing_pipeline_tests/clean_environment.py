"""The built wheel in a virtual environment of its own: what a user has after `pip install`.

One wheel and one environment serve the whole suite, whichever xdist worker asks first. Nothing of
the repository can be imported there, and no other library than the wheel declares (at the versions
that requirements.lock holds), so what works here works elsewhere. Where extras are wanted, or
packages that a user adds, they lie in an environment of their own on top of that one: what is
compiled there is compiled once.
"""

from __future__ import annotations

import ast
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LOCK = REPOSITORY / "requirements.lock"
BUILT_FROM = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "healing_pipeline")

# What pip is told of where packages are, in uv's words.
UV_SAYS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
PASSED_ON = ("LANG", "LC_ALL", "TMPDIR", "TZ", "USER", "LOGNAME")


@dataclass(frozen=True, slots=True)
class CleanEnvironment:
    """A virtual environment that holds the wheel, its extras and what these declare."""

    root: Path
    wheel: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def source(self) -> Path:
        """What the wheel was built of: the repository as it was then."""
        return self.wheel.parents[1] / "source"

    @property
    def environ(self) -> dict[str, str]:
        """All that a program in it is told: no variable of ours, of Dagster or of Python."""
        home = self.root / "home"
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        path = os.pathsep.join((str(self.bin), str(self.root.parent / "env" / "bin"), os.defpath))
        return {
            **kept,
            "HOME": str(home),
            "PATH": path,
            "VIRTUAL_ENV": str(self.root),
            # Nobody is told that a test ran, nor asked for news.
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        }

    def run(
        self,
        *command: str | Path,
        cwd: Path,
        environ: Mapping[str, str] | None = None,
        check: bool = True,
        timeout_s: float = 180.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of `bin` to its end, in the folder `cwd`; `environ` is told besides.

        With `check`, the program's whole output is the message where it fails.
        """
        if cwd.resolve().is_relative_to(REPOSITORY):
            raise ValueError(f"{cwd} lies in the repository: a program there would import from it")
        program, *arguments = map(str, command)
        found = shutil.which(program, path=self.environ["PATH"])
        done = subprocess.run(
            [found or str(self.bin / program), *arguments],
            cwd=cwd,
            env={**self.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            said = f"{done.stdout}\n{done.stderr}"
            raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{said}")
        return done

    def check(self) -> None:
        """Fail where a package of the plain environment lacks another, or has the wrong version."""
        _call(_uv(), "pip", "check", "--python", str(self.bin / "python"))


class CleanEnvironments:
    """Makes the environments that tests ask for, each once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *extras: str, packages: tuple[str, ...] = ()) -> CleanEnvironment:
        """The wheel with these `extras`, and `packages` of the lock that a user adds to it."""
        plain = self._folder / "env"
        root = self._folder / "-".join(("env", *sorted(extras), *sorted(packages)))
        with _locked(self._folder / "lock"):
            wheel = self._wheel()
            if not (plain / "ready").exists():
                _install(plain, [wheel.as_uri()])
            if not (root / "ready").exists():
                itself = [f"healing-pipeline[{','.join(extras)}] @ {wheel.as_uri()}"]
                _install_upon(plain, root, [*(itself if extras else []), *packages])
        return CleanEnvironment(root, wheel)

    def _wheel(self) -> Path:
        built = self._folder / "dist"
        if not built.exists():
            source = self._folder / "source"
            source.mkdir()
            for name in BUILT_FROM:
                _copy(REPOSITORY / name, source / name)
            # Without isolation it asks no index; without a copy, an older build's files get in.
            _call(
                sys.executable, "-m", "build", "--wheel", "--no-isolation",
                "--outdir", str(self._folder / "half"), str(source),
            )  # fmt: skip
            (self._folder / "half").rename(built)
        (wheel,) = built.glob("*.whl")
        return wheel


@contextmanager
def shared_environments(shared: Path) -> Iterator[CleanEnvironments]:
    """Environments that all who give the same folder `shared` have together; the last tidies up."""
    # Not below pytest's own folder: that is closed to others, also to the embedded server's user.
    note = shared / "clean_environments.json"
    with _locked(shared / "clean_environments.lock"):
        if note.exists():
            use = json.loads(note.read_text())
        else:
            folder = Path(tempfile.mkdtemp(prefix="healing-clean-"))
            folder.chmod(0o755)
            use = {"dir": str(folder), "workers": 0}
        note.write_text(json.dumps({**use, "workers": use["workers"] + 1}))
    try:
        yield CleanEnvironments(Path(use["dir"]))
    finally:
        with _locked(shared / "clean_environments.lock"):
            use = json.loads(note.read_text())
            use["workers"] -= 1
            if use["workers"] == 0:
                shutil.rmtree(use["dir"])
                note.unlink()
            else:
                note.write_text(json.dumps(use))


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


def _install(root: Path, wanted: Sequence[str], *options: str) -> None:
    told = {**os.environ, **_where_packages_are()}
    told.pop("VIRTUAL_ENV", None)
    uv = _uv()
    _call(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(root), environ=told)
    # Bytecode is left to the first import of a module: most are never asked for.
    _call(
        uv, "pip", "install", "--quiet", "--python", str(root / "bin" / "python"),
        "--constraint", str(LOCK), *options, *wanted,
        environ=told,
    )  # fmt: skip
    (root / "home").mkdir()
    (root / "ready").touch()


def _install_upon(plain: Path, root: Path, wanted: Sequence[str]) -> None:
    """Make an environment of what `wanted` needs besides a plain one, which it sees too."""
    told = {**os.environ, **_where_packages_are()}
    said = _call(
        _uv(), "pip", "install", "--dry-run", "--python", str(plain / "bin" / "python"),
        "--constraint", str(LOCK), *wanted,
        environ=told,
    )  # fmt: skip
    missing = re.findall(r"^ \+ (\S+==\S+)$", said, re.MULTILINE)
    _install(root, missing, "--no-deps")
    (below,) = plain.glob("lib/python*/site-packages")
    (above,) = root.glob("lib/python*/site-packages")
    (above / "plain.pth").write_text(f"import site; site.addsitedir({str(below)!r})\n", "utf-8")


def _where_packages_are() -> dict[str, str]:
    """Pip's settings (files and environment), as uv's: it reads none of pip's itself.

    A variable that uv was given already stays.
    """
    said = _call(sys.executable, "-m", "pip", "config", "list")
    found: dict[str, str] = {}
    # The environment's lines come last, as they weigh most.
    lines = sorted(said.splitlines(), key=lambda line: line.startswith(":env:"))
    for line in lines:
        name, _, value = line.partition("=")
        variable = UV_SAYS.get(name.rpartition(".")[2])
        if variable is not None:
            words = ast.literal_eval(value).split()
            found[variable] = ("," if variable == "UV_FIND_LINKS" else " ").join(words)
    # As pip does: the best version among all indexes, not the first index that knows the name.
    found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in found.items() if name not in os.environ}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _call(*command: str, environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
