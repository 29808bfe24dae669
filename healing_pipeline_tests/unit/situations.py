"""Any situation a strategy may find itself in, with a truth to hold its answers against.

The provider here speaks a language of its own: `/bars/X` by `interval` and `rows`, and `/quotes` of
`symbols`. What is true at a moment is a function, so an answer can be checked whoever gave it.
"""

from __future__ import annotations

import asyncio
import json
import math
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from first_days import ORDER
from hypothesis import strategies as st

from healing_pipeline.catalog.values import Alternates, ApiKey, Endpoint, Host, Quota, Source
from healing_pipeline.healing.fidelity import DEFAULT_ACCEPTS, Fidelity
from healing_pipeline.healing.strategy import Alternate, Observation, Situation, Snapshot, Way
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Point, Reading, Unreadable
from healing_pipeline.probing.response import NoAnswer, RequestLine, Response, Verdict
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.spoken import Spoken

NOW = datetime(2026, 3, 4, 15, 0, tzinfo=UTC)
LENGTHS = {"1d": timedelta(days=1), "5m": timedelta(minutes=5)}
FAILURES = [each for each in FailureClass if each.is_failure]


# ------------------------------------------------------------------ what is true


def value(instrument: str, at: datetime) -> float:
    """Moves by less than a tenth of a percent from one bar to the next."""
    return 100 + sum(map(ord, instrument)) % 50 + math.sin(at.timestamp() / 5e5)


def bars(instrument: str, interval: str, rows: int, at: datetime, scale: float = 1.0) -> Reading:
    """The newest `rows` bars begun by `at`."""
    length = LENGTHS[interval]
    newest = at - (at - datetime(2020, 1, 1, tzinfo=UTC)) % length
    begins = [newest - length * back for back in reversed(range(rows))]
    points = tuple(Point(each, "close", value(instrument, each) * scale) for each in begins)
    return Reading(instrument, interval, points, newest)


def quotes(symbols: list[str], at: datetime, scale: float = 1.0) -> Reading:
    names = sorted(set(symbols))
    points = tuple(
        Point(at, "price" if len(names) == 1 else f"{each}.price", value(each, at) * scale)
        for each in names
    )
    return Reading(",".join(names), "now", points, at)


def truth(line: RequestLine, at: datetime, scale: float = 1.0) -> Reading:
    """What the question's honest answer is at a moment."""
    if line.path.endswith("/quotes"):
        return quotes(line.params["symbols"].split(","), at, scale)
    instrument = line.path.rpartition("/")[2]
    return bars(instrument, line.params["interval"], int(line.params["rows"]), at, scale)


# ------------------------------------------------------------------ the language


def body_of(reading: Reading) -> bytes:
    points = [[each.at.timestamp(), each.field, each.value] for each in reading.points]
    said = {"of": reading.instrument, "by": reading.interval, "points": points}
    return json.dumps({**said, "as_of": reading.as_of.timestamp()}).encode()


def request(endpoint, host, key, now, params=None):
    asked = {**endpoint.params, **(params or {})}
    line = RequestLine(endpoint.path, asked, host.name)
    url = f"{host.base_url}{endpoint.path}"
    return UpstreamRequest(endpoint.source, host.name, key.name if key else None, url, {}, line)


def classify(response: Response, line: RequestLine) -> Verdict:
    if response.no_answer is not None:
        return Verdict(FailureClass.TIMEOUT, response.detail)
    said = json.loads(response.body)
    if "error" in said:
        return Verdict(FailureClass(said["error"]), f"said {said['error']}")
    return Verdict(FailureClass.OK, "good")


def read(body: bytes, line: RequestLine) -> Reading | Unreadable:
    said = json.loads(body)
    if "points" not in said:
        return Unreadable("no points in it")
    points = tuple(
        Point(datetime.fromtimestamp(at, UTC), name, x) for at, name, x in said["points"]
    )
    return Reading(said["of"], said["by"], points, datetime.fromtimestamp(said["as_of"], UTC))


def smaller(endpoint, params, factor, now):
    rows = int(params.get("rows", 1))
    return (endpoint.path, {**params, "rows": str(int(rows * factor))}) if rows > 2 else None


def substituted(path, params, instrument):
    if path == "/quotes":
        return path, {**params, "symbols": instrument}
    return f"{path.rpartition('/')[0]}/{instrument}", params


def daily(path, params, now):
    return (path, {**params, "interval": "1d"}) if params.get("interval") == "5m" else None


def merged(questions):
    if any(path != "/quotes" for path, _ in questions):
        return None
    symbols = dict.fromkeys(each for _, said in questions for each in said["symbols"].split(","))
    return "/quotes", {"symbols": ",".join(symbols)}


def part(reading, path, params):
    symbol = params["symbols"]
    found = [each for each in reading.points if each.field in {"price", f"{symbol}.price"}]
    points = tuple(replace(each, field="price") for each in found)
    return Reading(symbol, "now", points, reading.as_of) if points else None


def rendered(reading, path, params, now):
    return body_of(reading)


class Sessions:
    """A token that the answer to `/session` holds."""

    def ask(self, source: str, host: Host) -> UpstreamRequest:
        line = RequestLine("/session", {}, host.name)
        return UpstreamRequest(source, host.name, None, f"{host.base_url}/session", {}, line)

    def token(self, response: Response) -> str | None:
        found = json.loads(response.body or b"{}").get("token")
        return found if isinstance(found, str) else None

    def applied(self, asked: UpstreamRequest, token: str) -> UpstreamRequest:
        return replace(asked, url=f"{asked.url}?session={token}")


ABILITIES: dict[str, Any] = {
    "substituted": substituted,
    "daily": daily,
    "merged": merged,
    "part": part,
    "rendered": rendered,
    "session": Sessions(),
}


def speaker(name: str = "ticks", *, able: set[str] | None = None, reducible: bool = True) -> Spoken:
    """A provider with these of the abilities that providers may lack; all of them by default."""
    chosen = ABILITIES if able is None else {each: ABILITIES[each] for each in able}
    shrink = smaller if reducible else lambda endpoint, params, factor, now: None
    return Spoken(name, request, classify, read, shrink, **chosen)


# ------------------------------------------------------------------ time and upstream


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to whatever is due next, so that no test waits."""

    def __init__(self) -> None:
        self.clock = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        return self.clock


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        assert timeout is not None, "everyone waits and nothing is due"
        self._loop.clock += max(0.0, timeout)
        return super().select(0)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


@dataclass(frozen=True)
class Say:
    """One answer of the script: good or a failure, after so many seconds; or our own refusal."""

    failure: FailureClass = FailureClass.OK
    after_s: float = 0.05
    refused: bool = False
    token: str | None = "t0ken"


@dataclass
class Scripted:
    """An upstream by a script, in virtual time; it counts what is spent and what still runs.

    An alternate answers for its own provider, `scale` times the truth.
    """

    script: list[Say]
    scale: float = 1.0
    others: list[str] = field(default_factory=list)
    sent: list[UpstreamRequest] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    asked: int = 0
    running: int = 0
    sessions: dict[str, str] = field(default_factory=dict)
    provider: Spoken = field(default_factory=speaker)

    async def ask(self, asked, timeout_s, by=None):
        say = self.script[self.asked % len(self.script)]
        self.asked += 1
        if say.refused:
            verdict = Verdict(FailureClass.RATE_LIMIT, "our own limit")
            return Observation(asked, Response(), verdict, None, sent=False)
        assert timeout_s >= 0
        self.sent.append(asked)
        self.limits.append(timeout_s)
        self.running += 1
        try:
            await asyncio.sleep(min(say.after_s, timeout_s))
        finally:
            self.running -= 1
        response = self._response(say, asked, timeout_s, 1.0 if by is None else self.scale)
        provider = self.provider if by is None else by.provider
        verdict, reading = provider.examine(response, asked.line)
        return Observation(asked, response, verdict, reading)

    def _response(self, say, asked, timeout_s, scale):
        if say.after_s > timeout_s:
            return Response(no_answer=NoAnswer.TIMEOUT, detail="silence", elapsed_s=timeout_s)
        if say.failure.is_failure:
            body = json.dumps({"error": str(say.failure)}).encode()
        elif asked.line.path == "/session":
            body = json.dumps({"token": say.token}).encode()
        else:
            body = body_of(truth(asked.line, self.now(), scale))
        return Response(status=200, body=body, elapsed_s=say.after_s)

    async def ask_merged(self, situation, window_s, size):
        """As the data path does: others who ask for `others` come in, and each gets a part."""
        assert size >= 1
        await asyncio.sleep(window_s)
        path, params = situation.asked
        together = [(path, params), *((path, {"symbols": each}) for each in self.others)][:size]
        whole = situation.provider.merged(together) if len(together) > 1 else (path, params)
        asked = situation.request(path=whole[0], params=whole[1])
        seen = await self.ask(asked, situation.attempt_timeout_s)
        if seen.reading is None or len(together) == 1:
            return seen
        return replace(seen, reading=situation.provider.part(seen.reading, path, params))

    async def wait(self, seconds):
        assert seconds >= 0
        await asyncio.sleep(seconds)

    def now(self):
        return NOW + timedelta(seconds=asyncio.get_running_loop().time())

    def jitter(self):
        return 0.999

    def session(self, host):
        return self.sessions.get(host.name)

    def learn_session(self, host, token):
        self.sessions[host.name] = token


# ------------------------------------------------------------------ situations

ONE, TWO = Host("one", "http://one.test"), Host("two", "http://two.test")
PRIMARY = ApiKey("primary", "TICKS_KEY", "s3cret")
SPARE = ApiKey("spare", "TICKS_KEY_SPARE", "s3cret-too")

QUESTIONS = {
    "days": ("/bars/X", {"interval": "1d", "rows": "20"}),
    "minutes": ("/bars/X", {"interval": "5m", "rows": "20"}),
    "quote": ("/quotes", {"symbols": "X"}),
}


def way(host: Host = ONE, key: ApiKey | None = PRIMARY, why_closed: str = "") -> Way:
    return Way(host, key, is_open=not why_closed, why_closed=why_closed)


def stored(
    line: RequestLine,
    age_s: float = 60.0,
    label: Fidelity = Fidelity.EXACT,
    provider: str = "ticks",
) -> Snapshot:
    """What was true of a question so long ago."""
    at = NOW - timedelta(seconds=age_s)
    reading = truth(line, at)
    if label is Fidelity.PROXY:
        reading = replace_instrument(reading, "ETF")
    return Snapshot(at, reading, body_of(reading), provider, label)


def replace_instrument(reading: Reading, name: str) -> Reading:
    return Reading(name, reading.interval, reading.points, reading.as_of)


def alternate(
    question: str = "days", why_closed: str = "", host: Host = TWO, name: str = "other"
) -> Alternate:
    path, params = QUESTIONS[question]
    endpoint = Endpoint(f"{name}/x", name, path, MappingProxyType(params))
    source = Source(name, name, (host,))
    return Alternate(endpoint, source, speaker(name), way(host, None, why_closed))


def situation(
    question: str = "days",
    failure: FailureClass | Verdict = FailureClass.SERVER_ERROR,
    *,
    provider: Spoken | None = None,
    ways: tuple[Way, ...] = (),
    quota: Quota | None = None,
    alternates: tuple[Alternate, ...] = (),
    proxies: Alternates | None = None,
    snapshot: Snapshot | None = None,
    accepts: frozenset[Fidelity] = DEFAULT_ACCEPTS,
    remaining_s: float = 2.0,
    key: ApiKey | None = PRIMARY,
) -> Situation:
    """A situation with everything ordinary but what is said."""
    path, params = QUESTIONS[question]
    ways = ways or (way(key=key),)
    hosts = tuple(dict.fromkeys(each.host for each in ways))
    keys = tuple(dict.fromkeys(each.key for each in ways if each.key is not None))
    return Situation(
        endpoint=Endpoint(
            "ticks/x", "ticks", path, MappingProxyType(params), alternates=proxies or Alternates()
        ),
        provider=provider or speaker(),
        host=ONE,
        key=key,
        params=None,
        failure=failure if isinstance(failure, Verdict) else Verdict(failure, f"met {failure}"),
        now=NOW,
        remaining_s=remaining_s,
        accepts=accepts,
        snapshot=snapshot,
        attempt_timeout_s=1.0,
        source=Source("ticks", "ticks", hosts, keys, quota or Quota()),
        ways=ways,
        alternates=alternates,
    )


EVIDENCE = ["met a fault", "finance error 'Unauthorized: Invalid Crumb'", "key is not registered"]

ACCEPTED = [
    frozenset(Fidelity),
    DEFAULT_ACCEPTS,
    *(frozenset({Fidelity.EXACT, each}) for each in Fidelity),
]

# Whoever is announced is among them, so that a strategy made for one provider is put to work too.
NAMES = ["ticks", *sorted({each.name for each in entry_points(group="healing_pipeline.providers")})]


@st.composite
def situations(draw: st.DrawFn, name: str = "") -> Situation:
    """Any of them: hosts, keys, what is open, what is stored, what a provider can.

    With the `name` of a strategy, mostly after a failure that it is there for.
    """
    question = draw(st.sampled_from(sorted(QUESTIONS)))
    keys = draw(st.sampled_from([(PRIMARY,), (PRIMARY, SPARE), (None,)]))
    hosts = draw(st.sampled_from([(ONE, TWO), (ONE,)]))
    why = st.sampled_from(["", "", "", "ejected for 4 s"])
    path, params = QUESTIONS[question]
    snapshot = draw(
        st.none()
        | st.builds(
            stored,
            st.just(RequestLine(path, params)),
            st.sampled_from([0, 60, 1_000, 50_000, 100_000]),
            st.just(Fidelity.EXACT) | st.sampled_from(Fidelity),
        )
    )
    its_own = [each for each in FAILURES if name in ORDER[each]]
    failure = draw(st.sampled_from([*FAILURES, *its_own * (30 // max(len(its_own), 1))]))
    lacking = draw(st.sampled_from([(), (), (), *((each,) for each in ABILITIES), [*ABILITIES]]))
    number = st.sampled_from([None, None, 25])
    made = situation(
        question,
        Verdict(failure, draw(st.sampled_from(EVIDENCE))),
        provider=speaker(
            draw(st.sampled_from(NAMES)),
            able=set(ABILITIES) - set(lacking),
            reducible=not lacking,
        ),
        ways=tuple(way(host, key, draw(why)) for host in hosts for key in keys),
        quota=Quota(draw(number), draw(number), draw(number)),
        alternates=tuple(
            alternate(question, draw(why), name=name)
            for name in draw(st.sampled_from([("other",), ("other", "third"), ()]))
        ),
        proxies=draw(
            st.sampled_from(
                [Alternates("SERIES", "ETF"), Alternates(series="SERIES"), Alternates()]
            )
        ),
        snapshot=snapshot,
        accepts=draw(st.sampled_from(ACCEPTED)),
        remaining_s=draw(st.sampled_from([2.0, 2.9, 0.4, 0.05, 0.0, 5.0])),
        key=keys[0],
    )
    return replace(made, ways=(), source=None) if lacking == [*ABILITIES] else made


scripts = st.lists(
    st.builds(
        Say,
        failure=st.sampled_from([FailureClass.OK] * 2 * len(FAILURES) + FAILURES),
        after_s=st.sampled_from([0.0, 0.05, 0.05, 0.29, 0.31, 0.65, 3.0]),
        refused=st.sampled_from([False] * 9 + [True]),
        token=st.sampled_from(["t0ken"] * 5 + [None]),
    ),
    min_size=1,
    max_size=3,
)

upstreams = st.builds(
    Scripted,
    scripts,
    # The same numbers, nearly the same, and those before a split.
    st.sampled_from([1.0, 1.003, 4.0, 0.25]),
    st.sampled_from([[], ["Y"], ["Y", "Z"]]),
)
