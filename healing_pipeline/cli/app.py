"""The commands and their options; what a command does stands in a module of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from healing_pipeline import __version__
from healing_pipeline.cli.alerts import alerts
from healing_pipeline.cli.options import DEFAULT_CONFIG, Config, Json
from healing_pipeline.cli.printable import printable
from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.stack.profile_name import ProfileName

app = typer.Typer(
    name="healing",
    help="Watch third-party data endpoints, heal their failures, report on their health.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(alerts)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"healing_pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watch third-party data endpoints, heal their failures, report on their health."""


@app.command()
def init(
    config: Config = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A file of Gatus or Uptime Kuma, a folder of Gatus', or - for what is piped in.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a configuration: five sources on simulated upstreams, or what another tool watches."""
    if from_ is not None:
        from healing_pipeline.cli import importing

        importing.init_from(from_, config, force=force, as_json=as_json)
        return
    from healing_pipeline.cli import config as command

    command.init(config, force=force, as_json=as_json)


@app.command()
def check(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Check the configuration: every mistake with its line and its cure."""
    from healing_pipeline.cli import config as command

    raise typer.Exit(command.check(config, as_json=as_json))


@app.command()
def up(
    config: Config = DEFAULT_CONFIG,
    port: Annotated[int, typer.Option(help="Port of Dagster's web page.")] = 3000,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8888,
    scenario: Annotated[
        str, typer.Option(help="Faults of the simulated upstreams, repeated: a name or a file.")
    ] = "demo",
    seed: Annotated[int, typer.Option(help="Seed of the simulated market and faults.")] = 1,
    profile: Annotated[
        ProfileName,
        typer.Option(help="What begins runs: warm processes (local), or Celery's workers."),
    ] = ProfileName.LOCAL,
) -> None:
    """Start everything and tell what happens; Ctrl-C stops it."""
    from healing_pipeline.cli import up as command

    raise typer.Exit(
        command.up(
            config,
            port=port,
            gateway_port=gateway_port,
            scenario=scenario,
            seed=seed,
            profile=profile,
        )
    )


@app.command()
def probe(
    endpoint: Annotated[
        list[str] | None, typer.Argument(help="Endpoints or sources; all when none is named.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Ask endpoints once, heal nothing, and say what is wrong with which."""
    from healing_pipeline.cli import probe as command

    raise typer.Exit(command.probe(config, endpoint or [], as_json=as_json))


@app.command()
def fetch(
    endpoint: Annotated[str, typer.Argument(help="An endpoint of the configuration.")],
    param: Annotated[
        list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE, laid over its own.")
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="Labels to take, instead of the endpoint's: exact,stale,coarser,proxy."),
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds to wait at most, instead of the endpoint's.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
    body: Annotated[bool, typer.Option("--body", help="Print the provider's body only.")] = False,
) -> None:
    """Read one endpoint as a reader does: healed inside its deadline, honestly labelled."""
    from healing_pipeline.cli import fetch as command

    raise typer.Exit(
        command.fetch(
            config,
            endpoint,
            param or [],
            accept=accept or [],
            deadline_s=deadline,
            as_json=as_json,
            body=body,
        )
    )


@app.command()
def gateway(
    config: Config = DEFAULT_CONFIG,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8888,
) -> None:
    """Serve the data path over HTTP: /v1/SOURCE/NAME, /proxy/SOURCE/..., /docs."""
    from healing_pipeline.cli import gateway as command

    raise typer.Exit(command.gateway(config, host=host, port=port))


@app.command()
def classify(
    index: Annotated[Path, typer.Argument(help="A file of recorded responses, a JSON line each.")],
) -> None:
    """Say what is wrong with recorded responses: a JSON line each."""
    from healing_pipeline.cli import classify as command

    raise typer.Exit(command.classify(index))


@app.command()
def drill(
    scenario: Annotated[
        str,
        typer.Option(help="A scenario's name, a .yaml file, a .csv of real outages, or `all`."),
    ] = "first_light",
    seed: Annotated[int, typer.Option(help="Decides faults, market and readers.")] = 1,
    duration: Annotated[
        float | None, typer.Option(help="Seconds, instead of the scenario's.")
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Heal through Dagster's daemon, sensors and runs.")
    ] = False,
    launcher: Annotated[
        str | None,
        typer.Option(
            help="With --stack, what begins runs: warm, default, or both one after the other; "
            "without, what dagster.yaml says.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Break simulated upstreams by script and score what readers got against the truth."""
    from healing_pipeline.cli import drill as command

    raise typer.Exit(
        command.drill(
            scenario,
            seed=seed,
            duration_s=duration,
            stack=stack,
            launcher=launcher,
            as_json=as_json,
        )
    )


@app.command()
def report(
    config: Config = DEFAULT_CONFIG,
    hours: Annotated[float, typer.Option(help="How far back to look.")] = 24.0,
    form: Annotated[
        str | None,
        typer.Option("--format", help="text, json, toon, csv, md or html.", show_default=False),
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(help="Which of the eight structures; may be repeated; `all`."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Rows of each at most; 200 where people or models read.")
    ] = None,
    digest: Annotated[
        bool,
        typer.Option("--digest", help="What a model has to know of it, in at most 500 tokens."),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write, instead of printing.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="A folder to draw into: what heals at each source, and the curve."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the health of every endpoint, what was healed how, and what was learned.

    With --format or --structure: the tables of the project's eight structures, as a document.
    """
    if as_json and form not in (None, "json"):
        raise typer.BadParameter(f"--json and --format {form} exclude one another")
    if digest and (as_json or structure or limit is not None or form not in (None, "toon")):
        raise typer.BadParameter("--digest is TOON of its own; `healing toon` makes JSON of it")
    is_plain = not digest and not structure and limit is None and form in (None, "text")
    if pictures is not None and not is_plain:
        raise typer.BadParameter("--pictures goes with the report itself, without --format")
    if is_plain:
        from healing_pipeline.cli import report as command
        from healing_pipeline.cli.whole_files import printed_into

        with printed_into(output):
            code = command.report(config, hours=hours, as_json=as_json, pictures=pictures)
        raise typer.Exit(code)
    from healing_pipeline.cli import report_tables as tables

    if digest:
        raise typer.Exit(tables.report_digest(config, hours=hours, output=output))
    raise typer.Exit(
        tables.report_tables(
            config,
            form=form or ("json" if as_json else "text"),
            names=structure or [],
            hours=hours,
            limit=limit,
            output=output,
        )
    )


@app.command()
def explain(
    request_id: Annotated[
        str | None, typer.Argument(help="The `request_id` of an answer.", show_default=False)
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The newest healed request.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say why a request was healed as it was, and make its choices again from the record."""
    from healing_pipeline.cli import explain as command

    raise typer.Exit(command.explain(config, request_id, last=last, as_json=as_json))


@app.command()
def diagnose(
    incident: Annotated[
        int | None,
        typer.Argument(
            help="An incident's number; without it, what fails now.", show_default=False
        ),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the configured model for a second opinion first.")
    ] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Say what is broken, whom it concerns, and the way from the evidence to that verdict."""
    from healing_pipeline.cli import diagnose as command

    raise typer.Exit(command.diagnose(config, incident, as_json=as_json, ask=ask))


@app.command()
def toon(
    file: Annotated[
        Path, typer.Argument(help="TOON, JSON or CSV; - or nothing: what is piped in.")
    ] = Path("-"),
    to: Annotated[
        str | None,
        typer.Option(
            help="toon, json, csv or md; without it TOON becomes JSON, and all else TOON."
        ),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="toon, json or csv; without it the text tells.")
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(help="Which of the project's structures it is; `none`: take it as it is."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file to write, instead of printing.")
    ] = None,
) -> None:
    """Convert a document to TOON, JSON, CSV or Markdown, its types checked where they are known."""
    from healing_pipeline.cli import toon as command

    raise typer.Exit(command.toon(file, to=to, read_as=from_, structure=structure, output=output))


@app.command()
def learn(
    version: Annotated[
        int | None, typer.Argument(help="With --rollback: the version to go back to.")
    ] = None,
    config: Config = DEFAULT_CONFIG,
    from_: Annotated[
        str | None, typer.Option("--from", help="First day or hour to fold anew (UTC).")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="The day or hour after the last one (UTC).")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Fold anew this source only; may be repeated.")
    ] = None,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Put the policy before, or VERSION, in force again.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="List the policies.")] = False,
    maintenance: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            metavar="SOURCE FROM TO", help="Let nothing of that time teach; SOURCE may be `all`."
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for --maintenance.")] = None,
    as_json: Json = False,
) -> None:
    """Fold what was tried into knowledge, and publish the policy that follows from it."""
    from healing_pipeline.cli import learn as command

    span = from_ is not None or to is not None or bool(source)
    if sum((rollback, history, maintenance is not None, span)) > 1:
        raise typer.BadParameter("--rollback, --history, --maintenance and --from exclude another")
    if version is not None and not rollback:
        raise typer.BadParameter(f"{version} is a version to go back to: add --rollback")
    if rollback:
        raise typer.Exit(command.roll_back(config, version, as_json=as_json))
    if history:
        raise typer.Exit(command.history(config, as_json=as_json))
    if maintenance is not None:
        raise typer.Exit(command.add_maintenance(config, maintenance, reason, as_json=as_json))
    raise typer.Exit(
        command.learn(config, from_text=from_, to_text=to, only=source or [], as_json=as_json)
    )


@app.command()
def prune(
    config: Config = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    as_json: Json = False,
) -> None:
    """Take away what is older than the configuration keeps, and nothing that is still needed."""
    from healing_pipeline.cli import prune as command

    raise typer.Exit(command.prune(config, dry_run=dry_run, as_json=as_json))


@app.command()
def migrate(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """Bring the database to this version and let it watch what the configuration names."""
    from healing_pipeline.cli import migrate as command

    raise typer.Exit(command.migrate(config, as_json=as_json))


@app.command()
def roles(
    sql: Annotated[
        bool, typer.Option("--sql", help="Print what an administrator runs; asks no database.")
    ] = False,
    prefix: Annotated[
        str, typer.Option(help="With --sql: before the name of each role.", metavar="PREFIX")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say what the database's roles may do; part the application's from the owner's."""
    from healing_pipeline.cli import roles as command

    if sql:
        raise typer.Exit(command.print_sql(prefix))
    command.refuse_prefix(prefix)
    raise typer.Exit(command.show(as_json=as_json))


def main() -> None:
    """Run a command; a fault of ours is one line that names the cure, and an exit code of 1."""
    try:
        app()
    except HealingPipelineError as exc:
        # One line, whatever a library put into the message.
        print(printable(f"healing: {' '.join(str(exc).split())}"), file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
