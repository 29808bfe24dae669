"""What is in the database after an outage, held against what others have seen."""

from __future__ import annotations

from collections import Counter

from healing_pipeline_tests.chaos.outage_readers import Got
from healing_pipeline_tests.chaos.outage_world import Played, Times
from healing_pipeline_tests.chaos.own_server import OwnServer


def answers_lost(played: Played) -> int:
    """Answers that readers over HTTP hold in their hands, and the database has not."""
    held = {each.request_id for each in played.got if each.request_id}
    found = played.server.rows("SELECT request_id::text FROM answer")
    return len(held - {row[0] for row in found})


def doubled(played: Played) -> dict[str, int]:
    """Facts that are there more than once, and answers that nobody got."""
    rows = played.server.rows
    same = {
        "attempts": """SELECT count(*) FROM (SELECT 1 FROM attempt
            GROUP BY request_id, strategy, at, host, seconds HAVING count(*) > 1) AS same""",
        "probes": """SELECT count(*) FROM (SELECT 1 FROM probe_result
            GROUP BY endpoint, host, at, seconds HAVING count(*) > 1) AS same""",
    }
    found = {name: int(rows(statement)[0][0]) for name, statement in same.items()}
    answers = int(rows("SELECT count(*) FROM answer")[0][0])
    held = sum(each.request_id is not None for each in played.got)
    found["answers"] = max(0, answers - held - played.told.get("AnswerFact", 0))
    return found


def calls(played: Played) -> tuple[int, int]:
    """Upstream calls that the simulator served for the readers in process, and those on record."""
    of = {str(each.end.request_id) for each in played.reads}
    served = sum(count for mark, count in played.served.items() if mark.startswith("r"))
    on_record = played.server.rows("SELECT request_id::text, upstream_calls FROM attempt")
    return served, sum(count for request, count in on_record if request in of)


def unsound(server: OwnServer) -> list[str]:
    """Incidents and alerts that are not complete, or told twice."""
    found = []
    steps: dict[int, list[tuple[str | None, str]]] = {}
    for incident, before, after in server.rows(
        "SELECT incident_id, from_state, to_state FROM incident_event ORDER BY id"
    ):
        steps.setdefault(incident, []).append((before, after))
    for incident, endpoint, state in server.rows("SELECT id, endpoint, state FROM incident"):
        way = steps.get(incident, [])
        joined = [before for before, _ in way] == [None, *(after for _, after in way[:-1])]
        if not way or not joined or way[-1][1] != state:
            found.append(f"incident {incident} of {endpoint} is {state} after the steps {way}")
    for group, is_over, fired, resolved in server.rows(
        """SELECT alert_group.id, resolved_at IS NOT NULL,
                  count(alert.id) FILTER (WHERE kind = 'fired'),
                  count(alert.id) FILTER (WHERE kind = 'resolved')
             FROM alert_group LEFT JOIN alert ON alert.group_id = alert_group.id
            GROUP BY alert_group.id"""
    ):
        if fired > 1 or resolved > fired or (fired and is_over and resolved != 1):
            found.append(f"alert {group} was told {fired} times, and its end {resolved} times")
    for endpoint, times in server.rows(
        """SELECT one.endpoint, count(*) FROM incident AS one JOIN incident AS other
               ON other.endpoint = one.endpoint AND other.id > one.id
              AND other.began_at < one.resolved_at
            GROUP BY one.endpoint"""
    ):
        found.append(f"{endpoint} had {times} incidents within others")
    found += [
        f"answers of {quarter} are counted as {counted}, and there are {there}"
        for quarter, counted, there in unfolded(server)
    ]
    return found


def unfolded(server: OwnServer) -> list[tuple[str, int, int]]:
    """Quarters of an hour whose facts came late and are not in the health that is shown."""
    return [
        (str(row[0]), int(row[1]), int(row[2]))
        for row in server.rows(
            """SELECT quarter, counted, there FROM (
                 SELECT date_bin('15 minutes', at, 'epoch') AS quarter, count(*) AS there
                   FROM answer GROUP BY 1) AS told
               JOIN LATERAL (SELECT coalesce(sum(requests), 0) AS counted
                   FROM health_in(quarter, quarter + interval '15 minutes')) AS health ON true
               WHERE counted <> there"""
        )
    ]


def waits(played: Played, times: Times) -> dict[int, float]:
    """Seconds that readers waited who came while it was broken, by their place in the plan."""
    begins, ends = times.breaks_at_s, times.breaks_at_s + times.away_s
    found = {
        int(each.token[1:]): each.end.seconds
        for each in played.reads
        if begins <= each.arrival.at_s <= ends
    }
    over_http = [each for each in in_time(played.got) if begins <= each.at_s <= ends]
    found.update({-number - 1: each.seconds for number, each in enumerate(over_http)})
    return found


def in_time(got: list[Got]) -> list[Got]:
    """Those of the plan, in its order."""
    return sorted((each for each in got if each.at_s > 0), key=lambda each: each.at_s)


def p99(values: list[float]) -> float:
    """The 99th percentile; 0 of none."""
    return sorted(values)[min(len(values) - 1, int(0.99 * len(values)))] if values else 0.0


def errors(played: Played) -> Counter[str]:
    """Requests over HTTP without an answer, by what was said."""
    return Counter(f"{each.endpoint}: {each.error}" for each in played.got if each.error)
