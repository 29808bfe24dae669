"""A heal run's second opinion: asked in a process of its own, waited for only before people are.

The SDKs take a second or more of a processor to import, and a service may drip its answer for as
long as it likes. Neither is to be felt by a heal: the question is written here, its dollars are set
aside, and a child process, which holds no key but the model's, does the rest and puts it on record
even when nobody waits for it any more.
"""

from __future__ import annotations

import json
import logging
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.consultation import Asked, Shared
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.healing.answer import Tried
from healing_pipeline.incidents.diagnosis import Diagnosis, RootCause
from healing_pipeline.second_opinion.price import most_usd
from healing_pipeline.second_opinion.question import (
    MOST_ROWS,
    NONCE_CHARS,
    Matter,
    Question,
    SecretInQuestionError,
    ask_about,
)
from healing_pipeline.second_opinion.secrecy import Secrets, known_secrets
from healing_pipeline.second_opinion.settings import SecondOpinionSettings
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.second_opinions import (
    HeldBack,
    LetOut,
    Wish,
    failing_besides,
    joint_of,
    latest_calls,
    let_out,
)

PROCESS = "import os; os.nice({nice}); from {module} import run; run()"
MODULE = "healing_pipeline.control.consulting_process"
# Importing an SDK beside a heal must not take its processor; who waits for the answer needs one.
NICE_BESIDE = 10
# What was seen longer ago says little about what fails now.
SEEN_WITHIN = timedelta(minutes=5)
# All that the child needs of the environment: where things are, and how to get out.
PASSED_ON = (
    *("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PGPASSFILE"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)

_LOG = logging.getLogger(__name__)
# Those that nobody waits for: Python would miss them.
_running: list[subprocess.Popen[bytes]] = []


def begin(
    database: Database,
    catalog: Catalog,
    taken: Taken,
    diagnosis: Diagnosis,
    *,
    because: str,
    now: datetime,
    environ: Mapping[str, str],
    tried: Sequence[Tried] = (),
    always: bool = False,
    nice: int = 0,
) -> Asked | Shared | HeldBack:
    """Send a question out, if there is one to send, and come back at once; never raises.

    Parameters
    ----------
    because : str
        Why it is asked, for the record.
    tried : sequence of Tried
        What the plan did already.
    always : bool
        Whether the same may be asked again: a person wants to know.
    nice : int
        By how much the process that asks gives way to others.
    """
    try:
        return _begin(
            database, catalog, taken, diagnosis, because, now, environ, tuple(tried), always, nice
        )
    except Exception as error:
        # A heal run goes on whatever becomes of this. The text may repeat what nobody should read.
        _LOG.warning("No second opinion was asked for: %s", type(error).__name__)
        return HeldBack(f"it could not be asked: {type(error).__name__}")


def _begin(
    database: Database,
    catalog: Catalog,
    taken: Taken,
    diagnosis: Diagnosis,
    because: str,
    now: datetime,
    environ: Mapping[str, str],
    tried: tuple[Tried, ...],
    always: bool,
    nice: int,
) -> Asked | Shared | HeldBack:
    began = time.monotonic()
    settings = catalog.second_opinion
    if settings is None:
        return HeldBack("no model is configured")
    if diagnosis.root_cause is RootCause.OUR_NETWORK:
        return HeldBack("our own network is down")
    api_key = ""
    if settings.api_key_env is not None:
        api_key = environ.get(settings.api_key_env, "").strip()
        if not api_key:
            return HeldBack(f"the environment variable {settings.api_key_env} is not set")
    kept = Secrets(known_secrets(catalog, environ))
    with database.connection() as connection:
        matter = _matter(connection, catalog, taken, diagnosis, tried, now)
        if not matter.choices:
            return HeldBack("the plan has no strategy to choose")
        try:
            question = ask_about(matter, kept, secrets.token_hex(NONCE_CHARS))
        except SecretInQuestionError:
            return HeldBack("a secret could be read out of the question")
        wish = _wish(settings, matter, question, because, always)
        told = let_out(connection, wish, now)
    if isinstance(told, HeldBack):
        until = began + settings.timeout_s
        choices = question.choices
        return Shared(database, wish, now, choices, until) if told.is_under_way else told
    return _start(settings, api_key, question, told, database.url, began, now, environ, nice)


def _matter(
    connection: Any,
    catalog: Catalog,
    taken: Taken,
    diagnosis: Diagnosis,
    tried: tuple[Tried, ...],
    now: datetime,
) -> Matter:
    source = catalog.endpoints[taken.endpoint].source
    return Matter(
        incident_id=taken.incident_id,
        joint_id=joint_of(connection, taken.incident_id) or taken.incident_id,
        source=source,
        diagnosis=diagnosis,
        began_at=taken.began_at,
        now=now,
        tried=tried,
        failing=failing_besides(connection, taken.incident_id, source, MOST_ROWS),
        seen=latest_calls(connection, taken.endpoint, source, now - SEEN_WITHIN, MOST_ROWS),
    )


def _wish(
    settings: SecondOpinionSettings,
    matter: Matter,
    question: Question,
    because: str,
    always: bool,
) -> Wish:
    said = matter.diagnosis
    return Wish(
        incident_id=matter.incident_id,
        joint_id=matter.joint_id,
        digest="" if always else matter.digest,
        service=str(settings.service),
        model=settings.model,
        because=because,
        diagnosis={
            "failure_class": str(said.failure_class),
            "root_cause": str(said.root_cause),
            "place": str(said.place),
            "choices": list(matter.choices),
            "tried": [each.strategy for each in matter.tried],
        },
        most_usd=most_usd(question.sent, settings.prices),
        daily_budget_usd=settings.daily_budget_usd,
    )


def _start(
    settings: SecondOpinionSettings,
    api_key: str,
    question: Question,
    told: LetOut,
    database_url: str,
    began: float,
    now: datetime,
    environ: Mapping[str, str],
    nice: int,
) -> Asked:
    until = began + settings.timeout_s
    work = {
        "call_id": told.call_id,
        "settings": asdict(settings),
        "api_key": api_key,
        "system": question.system,
        "user": question.user,
        "choices": list(question.choices),
        "database_url": database_url,
        # Both processes are on one machine, so they share its monotonic clock.
        "until": until,
        "at": now.timestamp(),
        "began": began,
    }
    process = subprocess.Popen(  # noqa: S603 (our own module)  # nosec B603
        [sys.executable, "-c", PROCESS.format(nice=nice, module=MODULE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: environ[name] for name in PASSED_ON if name in environ},
        # It outlives the run that asked, for some seconds: what was paid for goes on record.
        start_new_session=True,
    )
    _running[:] = [each for each in (*_running, process) if each.poll() is None]
    assert process.stdin is not None, "the process was started with a pipe"
    with process.stdin as stream:
        # Below what a pipe takes at once, whatever alphabet the evidence is written in.
        stream.write(json.dumps(work, ensure_ascii=False).encode())
    return Asked(told.call_id, question.choices, process, until)
