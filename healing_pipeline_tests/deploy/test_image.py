"""deploy/Dockerfile and what it copies: locked as the project is, and nobody at the end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from deploy_tools import DEPLOY, REPOSITORY

PIN = re.compile(r"^([A-Za-z0-9._-]+(?:\[[^\]]+\])?)==([^ ;\\]+)", re.MULTILINE)


def pins(path: Path) -> dict[str, str]:
    text = path.read_text(encoding="utf-8")
    found = {name.partition("[")[0].lower(): version for name, version in PIN.findall(text)}
    assert found, path
    assert text.count("==") <= text.count("--hash=sha256:"), "each has a hash"
    return found


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-build.txt"])
def test_the_images_libraries_are_those_that_the_tests_run_on(name: str) -> None:
    """`make lock` writes both files anew."""
    tested = pins(REPOSITORY / "requirements.lock")
    different = {
        library: (version, tested.get(library))
        for library, version in pins(DEPLOY / name).items()
        if tested.get(library) != version
    }
    assert different == {}


def test_the_image_has_what_runs_need_and_nothing_of_tests() -> None:
    names = set(pins(DEPLOY / "requirements.txt"))
    assert names >= {"dagster", "dagster-celery", "dagster-k8s", "redis", "psycopg-binary"}
    assert names.isdisjoint({"pytest", "mypy", "ruff", "playwright", "sphinx", "uv"})


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    whole = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found = []
    for line in filter(None, map(str.strip, whole.splitlines())):
        word, _, rest = line.partition(" ")
        assert word.isupper(), line
        found.append((word, rest.strip()))
    return found


def test_what_the_dockerfile_copies_is_there() -> None:
    for word, rest in instructions():
        if word != "COPY" or "--from=" in rest:
            continue
        *sources, _ = [part for part in rest.split() if not part.startswith("--")]
        for source in sources:
            assert (REPOSITORY / source).exists(), source


def test_the_last_stage_is_nobody_and_says_whether_it_is_well() -> None:
    found = instructions()
    begins = [place for place, (word, _) in enumerate(found) if word == "FROM"]
    assert len(begins) == 3
    last = found[begins[-1] :]
    assert ("USER", "10001:10001") in last
    assert any(word == "HEALTHCHECK" and "/readyz" in rest for word, rest in last)
    assert not any(word == "RUN" and re.search(r"apt-get|pip install", rest) for word, rest in last)


def entered(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh") or "/bin/sh"
    return subprocess.run(
        [shell, DEPLOY / "entrypoint.sh", *command],
        env={"PATH": os.environ["PATH"], **environment},
        check=False,
        capture_output=True,
        text=True,
    )


def test_secrets_in_files_become_variables(tmp_path: Path) -> None:
    awkward = "pass'wo\"rd $HOME `id` \\n"
    (tmp_path / "one").write_text(awkward + "\n")
    (tmp_path / "two").write_text("other")
    told = entered(
        {
            "HEALING_SECRETS_DIR": str(tmp_path),
            "HEALING_DATABASE_URL_FILE": str(tmp_path / "one"),
            "FRED_API_KEY_FILE": str(tmp_path / "two"),
            "FRED_API_KEY": "given",
            "CELERY_RUNS_READY_FILE": "/elsewhere/ready",
        },
        "sh",
        "-c",
        'printf "%s|%s|%s" "$HEALING_DATABASE_URL" "$FRED_API_KEY" "${CELERY_RUNS_READY-none}"',
    )
    assert (told.returncode, told.stdout) == (0, f"{awkward}|given|none")


@pytest.mark.parametrize("content", [None, ""])
def test_a_secret_that_is_not_there_stops_the_container(tmp_path: Path, content) -> None:
    if content is not None:
        (tmp_path / "one").write_text(content)
    told = entered(
        {"HEALING_SECRETS_DIR": str(tmp_path), "FRED_API_KEY_FILE": str(tmp_path / "one")}, "true"
    )
    assert told.returncode == 1
    assert "FRED_API_KEY_FILE names" in told.stderr
