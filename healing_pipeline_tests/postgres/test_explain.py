"""`healing explain`: a request is read back, and each of its choices comes out as it did."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from storage_samples import NOON
from worlds import World, bad, good

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.cli.explain import explain
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.learning.policy import Policy
from healing_pipeline.learning.rates import Rate
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.storage.database import connection_info
from healing_pipeline.storage.fact_store import FactStore
from healing_pipeline.storage.policies import PUBLISHED, Judged, store_policy

HOPELESS = Rate(0.02, 40, 0.3, None)
POLICY = Policy(
    as_of=NOON,
    inner={
        ("line", "server_error"): {
            "alternate_host": HOPELESS,
            "fallback_provider": Rate(0.9, 40, 0.3, 1.0),
        }
    },
)

# The same in every worker: parametrised tests are told apart by it.
NOBODYS = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"


@pytest.fixture
def installation(database_url, tmp_path, monkeypatch) -> Path:
    config = tmp_path / "healing_config.yaml"
    config.write_text(default_config_text(), encoding="utf-8")
    monkeypatch.setenv("HEALING_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("HEALING_DATABASE_URL", database_url)
    return config


def only_the_other_has_it(request, _):
    return good() if request.source == "other" else bad(FailureClass.SERVER_ERROR)


def healed(database_url: str, policy: Policy | None = None, script=only_the_other_has_it):
    """One request, healed and stored; its id."""
    world = World(script, hosts=("one", "two"), alternate=True, first_id=uuid4().int >> 1)
    if policy is not None:
        world.engine._parts.policy.put(policy)
    answer = world.fetch(accepts=frozenset(Fidelity))
    stored(database_url, world)
    return answer.request_id


def stored(database_url: str, world: World) -> None:
    store = FactStore(database_url)
    try:
        store.store(world.facts)
    finally:
        store.close()


def publish(database) -> int:
    with database.connection() as connection:
        return store_policy(
            connection, Judged(POLICY, PUBLISHED, "in a test"), NOON + timedelta(minutes=1)
        )


def explained(capsys, installation, given: UUID | None, **options) -> tuple[int, dict]:
    given = None if given is None else str(given)
    options = {"last": False, **options}
    code = explain(installation, given, as_json=True, **options)
    return code, json.loads(capsys.readouterr().out)


def test_each_choice_of_a_request_is_told_and_comes_out_as_it_did(
    installation, database_url, capsys
):
    code, told = explained(capsys, installation, healed(database_url))
    assert code == 0
    assert told["replayed"] == "the same order"
    assert told["met"]["failure_class"] == "server_error"
    assert told["end"]["strategy"] == "fallback_provider"
    assert [each["strategy"] for each in told["attempts"]] == [
        "plain",
        "alternate_host",
        "fallback_provider",
    ]
    first, second = told["decisions"]
    assert first["policy"] is None
    assert [(each["strategy"], each["verdict"]) for each in first["candidates"]] == [
        ("alternate_host", "chosen"),
        ("fallback_provider", "heals less per second"),
        ("exponential_backoff_retry", "heals less per second"),
    ]
    assert second["failed_before"] == ["alternate_host"]
    assert {each["strategy"] for each in first["left_out"]} >= {"use_cached_data", "rotate_api_key"}


def test_a_choice_is_made_again_by_the_policy_of_that_time(
    installation, database, database_url, capsys
):
    version = publish(database)
    request_id = healed(database_url, POLICY)
    code, told = explained(capsys, installation, request_id)
    assert code == 0
    (choice,) = told["decisions"]
    assert (choice["policy_version"], choice["policy"]) == (version, POLICY.fingerprint[:12])
    assert choice["candidates"][0]["strategy"] == "fallback_provider"
    assert choice["candidates"][0]["layer"] == "inner"


def test_what_was_tried_after_the_answer_is_marked_late(
    installation, database, database_url, capsys
):
    retry = {"exponential_backoff_retry": HOPELESS}
    policy = Policy(as_of=NOON, inner={("line", "server_error"): retry})
    with database.connection() as connection:
        store_policy(connection, Judged(policy, PUBLISHED, "in a test"), NOON)
    world = World(lambda *_: good(), first_id=uuid4().int >> 1)
    world.engine._parts.policy.put(policy)
    world.observe()
    world.time.elapsed += 5.0
    answers = iter([bad(FailureClass.SERVER_ERROR)])
    world.script = lambda *_: next(answers, good(as_of=1.0))
    answer = world.fetch(learn_on=True)
    stored(database_url, world)
    code, told = explained(capsys, installation, answer.request_id)
    assert code == 0
    assert [(each["strategy"], each["late"]) for each in told["attempts"]] == [
        ("plain", False),
        ("use_cached_data", False),
        ("exponential_backoff_retry", True),
    ]
    first, second = told["decisions"]
    assert (first["late"], second["late"]) == (False, True)
    assert {each["strategy"]: each["verdict"] for each in first["candidates"]} == {
        "use_cached_data": "chosen",
        "exponential_backoff_retry": "heals less per second",
    }
    assert explain(installation, str(answer.request_id), last=False, as_json=False) == 0
    said = capsys.readouterr().out
    assert "after the reader's end" in said
    assert "exponential_backoff_retry (late)" in said


def test_a_policy_that_is_not_here_cannot_be_replayed_and_says_so(
    installation, database_url, capsys
):
    code, told = explained(capsys, installation, healed(database_url, POLICY))
    assert code == 1
    assert "is not in this database" in told["decisions"][0]["replayed"]


def test_a_choice_that_was_tampered_with_comes_out_otherwise(installation, database_url, capsys):
    request_id = healed(database_url)
    with psycopg.connect(connection_info(database_url), autocommit=True) as connection:
        connection.execute("ALTER TABLE decision DISABLE TRIGGER decision_is_append_only")
        connection.execute(
            "UPDATE decision SET considered = jsonb_set(considered, '{candidates,0,seconds}', '9')"
            " WHERE decision_no = 1"
        )
    code, told = explained(capsys, installation, request_id)
    assert code == 1
    assert told["replayed"] == "not as it was"
    assert "then alternate_host, fallback_provider" in told["decisions"][0]["replayed"]
    assert told["decisions"][1]["replayed"] == "the same order"


def test_the_newest_healed_request_needs_no_id(installation, database_url, capsys):
    healed(database_url, script=lambda *_: good())
    with pytest.raises(ConfigurationError, match="No request of a reader was healed yet"):
        explain(installation, None, last=True, as_json=True)
    request_id = healed(database_url)
    code, told = explained(capsys, installation, None, last=True)
    assert (code, told["request_id"]) == (0, str(request_id))


def test_people_read_it_as_a_table(installation, database_url, capsys):
    request_id = healed(database_url)
    assert explain(installation, f"urn:uuid:{request_id}", last=False, as_json=False) == 0
    said = capsys.readouterr().out
    for part in ("line/x", "chosen", "replayed: the same order", "left out: use_cached_data"):
        assert part in said


def test_a_healthy_request_had_nothing_to_choose(installation, database_url, capsys):
    request_id = healed(database_url, script=lambda *_: good())
    assert explain(installation, str(request_id), last=False, as_json=False) == 0
    assert "the first call was good" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "said"), [("nonsense", "is no request id"), (NOBODYS, "is on record here")]
)
def test_an_id_that_is_none_is_told_where_ids_are(installation, given, said):
    with pytest.raises(ConfigurationError, match=said) as told:
        explain(installation, given, last=False, as_json=False)
    assert "request_id" in told.value.cure


@pytest.mark.parametrize(("given", "last"), [(None, False), (NOBODYS, True)])
def test_one_request_is_explained_at_a_time(installation, given, last):
    with pytest.raises(ConfigurationError, match="One request"):
        explain(installation, given, last=last, as_json=False)
