"""The commands below `healing alerts` and their options; what they do stands in other modules."""

from __future__ import annotations

from typing import Annotated

import typer

from healing_pipeline.cli.options import DEFAULT_CONFIG, Config, Json

alerts = typer.Typer(
    name="alerts",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
maintenance = typer.Typer(
    name="maintenance",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
alerts.add_typer(maintenance)

All = Annotated[bool, typer.Option("--all", help="Those that are over too, however old.")]
By = Annotated[
    str | None,
    typer.Option(
        "--by", envvar="HEALING_USER", help="Who you are; by default who is logged in here."
    ),
]
Source = Annotated[str | None, typer.Option(help="A source; without it all.")]
For = Annotated[str, typer.Option("--for", help="How long from now: 30m, 2h, 1h30m, 3d.")]
Reason = Annotated[str, typer.Option(help="Why; whoever looks for the alert reads it.")]


def _refuse_before_a_command(context: typer.Context) -> None:
    """Refuse options that would be forgotten: they belong to the command that follows."""
    for name in ("config", "as_json"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--config" if name == "config" else "--json"
            raise typer.BadParameter(
                f"write {option} behind the command: "
                f"{context.command_path} {context.invoked_subcommand} {option}"
            )


@alerts.callback()
def _alerts(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List what fires, the worst first; acknowledge it, silence it, try the channels."""
    if context.invoked_subcommand is not None:
        return _refuse_before_a_command(context)
    from healing_pipeline.cli import alerts_show as command

    raise typer.Exit(command.show_groups(config, with_closed=False, as_json=as_json))


@alerts.command("list")
def list_(config: Config = DEFAULT_CONFIG, with_closed: All = False, as_json: Json = False) -> None:
    """List what fires, the worst first, and what was over within the last day."""
    from healing_pipeline.cli import alerts_show as command

    raise typer.Exit(command.show_groups(config, with_closed=with_closed, as_json=as_json))


@alerts.command()
def show(
    group: Annotated[int, typer.Argument(help="Its number, as `healing alerts` lists it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Show one alert: its incidents, its messages, and why people are told or not."""
    from healing_pipeline.cli import alerts_show as command

    raise typer.Exit(command.show_group(config, group, as_json=as_json))


@alerts.command()
def ack(
    group: Annotated[int, typer.Argument(help="Its number, as `healing alerts` lists it.")],
    config: Config = DEFAULT_CONFIG,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Say that somebody sees to it: no reminders, but still each rise and its end."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.acknowledge(config, group, by=by, as_json=as_json))


@alerts.command()
def silence(
    for_: For,
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    endpoint: Annotated[
        str | None, typer.Option(help="An endpoint, or a pattern with *; without it all.")
    ] = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Tell nobody of a source, or of endpoints, for a while; then of what still fires."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(
        command.silence(
            config,
            for_text=for_,
            reason=reason,
            source=source,
            endpoint=endpoint,
            by=by,
            as_json=as_json,
        )
    )


@alerts.command()
def silences(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List the silences in force."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.list_silences(config, as_json=as_json))


@alerts.command()
def unsilence(
    number: Annotated[int, typer.Argument(help="Of the silence, as `silences` lists it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """End a silence now; what still fires is told of."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.unsilence(config, number, as_json=as_json))


@alerts.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Look after alerts: find what people must know, and send it; Ctrl-C stops it."""
    from healing_pipeline.cli import alerts_run as command

    raise typer.Exit(command.run(config))


@alerts.command("test")
def try_channels(
    channel: Annotated[str | None, typer.Option(help="This channel alone.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """Send a message to every channel, as an alert is sent, and say what became of each."""
    from healing_pipeline.cli import alerts_run as command

    raise typer.Exit(command.try_channels(config, channel, as_json=as_json))


@alerts.command()
def deliveries(
    config: Config = DEFAULT_CONFIG,
    retry: Annotated[
        bool, typer.Option("--retry", help="Let what failed for good be tried once more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what became of the messages of a week: what failed first, then what waits."""
    from healing_pipeline.cli import alerts_run as command

    raise typer.Exit(command.deliveries(config, retry=retry, as_json=as_json))


@maintenance.callback()
def _maintenance(
    context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: Json = False
) -> None:
    """List the maintenance that is, and that is to come; begin and end it."""
    if context.invoked_subcommand is not None:
        return _refuse_before_a_command(context)
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.list_maintenance(config, as_json=as_json))


@maintenance.command("list")
def maintenance_list(config: Config = DEFAULT_CONFIG, as_json: Json = False) -> None:
    """List the maintenance that is, and that is to come."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.list_maintenance(config, as_json=as_json))


@maintenance.command("begin")
def maintenance_begin(
    for_: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1h30m, 3d.")],
    reason: Reason,
    config: Config = DEFAULT_CONFIG,
    source: Source = None,
    at: Annotated[
        str | None, typer.Option(help="When it begins (UTC): 2026-03-02T22:00; without it now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Note that a source is away, now or later; nothing of that time teaches either."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(
        command.begin_maintenance(
            config, for_text=for_, reason=reason, source=source, at_text=at, as_json=as_json
        )
    )


@maintenance.command("end")
def maintenance_end(
    number: Annotated[int, typer.Argument(help="Of the window, as `maintenance` lists it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """End maintenance now, or take it back before it begins."""
    from healing_pipeline.cli import alerts_mute as command

    raise typer.Exit(command.end_maintenance(config, number, as_json=as_json))
