"""The environment variables: one table, which a test holds against those that the code reads."""

from __future__ import annotations

from program_reference.markdown import code, table

# By who reads them: the project itself, wherever it runs.
OF_THE_PROJECT: dict[str, str] = {
    "HEALING_CONFIG": "The configuration's file (`config/healing_config.yaml`).",
    "HEALING_STATE_DIR": "Where local state is kept: the embedded PostgreSQL, Dagster's files, "
    "facts that wait (`.healing`).",
    "HEALING_UPSTREAMS": "`real` or `simulated`, instead of the configuration's `upstreams`.",
    "HEALING_DATABASE_URL": "A PostgreSQL of yours; without it an embedded one is started.",
    "HEALING_OWNER_DATABASE_URL": "The same database as its owner, who may change tables "
    "([roles](roles.md)); by default the one above.",
    "HEALING_DAGSTER_DATABASE_URL": "Where Dagster keeps its own tables; by default in the same "
    "database.",
    "HEALING_DAGSTER_PAGE": "Where people reach Dagster's page, for links in messages "
    "(`http://127.0.0.1:3000`).",
    "HEALING_GATEWAY_TOKEN": "What a client of the gateway has to send; needed wherever it listens "
    "beyond loopback ([gateway](gateway.md)).",
    "HEALING_GATEWAY_READER_TOKEN": "A second one, which reads and changes nothing.",
    "HEALING_SPOOL_MB": "Megabytes of facts that may wait on disk for PostgreSQL.",
    "HEALING_SHARDS": "What the sensors of this code location look at, as `1/3,rest`, where "
    "several share an installation.",
    "HEALING_REDIS_URL": "A Redis by which processes tell each other of cooldowns as well "
    "([how](../how_to/share_between_machines.md)).",
    "HEALING_BROKER_URL": "The broker of Celery's workers, instead of a Redis of our own "
    "([how](../how_to/run_on_celery.md)).",
    "HEALING_RESULTS_URL": "Where Celery's workers leave results; by default at the broker.",
    "HEALING_USER": "Who you are, where `healing alerts` writes that down.",
    "HEALING_CLOCK_OFFSET_S": "Seconds by which this process's clock is moved; a drill sets it for "
    "its own.",
}

# What the configuration names are the user's; these are the default ones.
OF_THE_SOURCES: dict[str, str] = {
    "FRED_API_KEY": "`fred`",
    "POLYGON_API_KEY": "`polygon`",
    "ALPHA_VANTAGE_API_KEY": "`alpha_vantage`",
    "EXCHANGE_RATE_API_KEY": "`exchange_rate`",
}

# Read by the tests and CI.
OF_THE_TESTS: dict[str, str] = {
    "HEALING_PIPELINE_TEST_DSN": "A PostgreSQL for the tests, instead of one that they start.",
    "HEALING_BROWSER_TESTS": "`required`: a missing browser fails the tests that need one.",
    "HEALING_REDIS_TESTS": "`required`: the same for Redis.",
    "HEALING_DEPLOY_TESTS": "`required`: the same for the programs that check `deploy/`.",
    "HEALING_HYPOTHESIS_PROFILE": "`explore`: properties with fresh examples (`make explore`).",
    "HEALING_AUDIT": "`required`: a database of vulnerabilities that cannot be reached fails "
    "`make audit`.",
}


def text() -> str:
    """Three tables."""
    return "\n\n".join(
        [
            _table("variable", OF_THE_PROJECT),
            "## Keys of the sources",
            "The configuration names them (`keys`); these are the names that `healing init` "
            "writes. A spare has the same name with `_SPARE` behind it.",
            table(["variable", "source"], [[code(k), v] for k, v in OF_THE_SOURCES.items()]),
            "## Of tests and CI",
            _table("variable", OF_THE_TESTS),
        ]
    )


def _table(head: str, variables: dict[str, str]) -> str:
    return table([head, "what it says"], [[code(name), told] for name, told in variables.items()])
