"""The tables of `healing drill`: a drill, the launchers side by side, all drills in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from healing_pipeline.cli.console import out
from healing_pipeline.drill.score import is_clean


def show_report(report: dict[str, Any]) -> None:
    """Print one drill."""
    title = f"Drill {report['scenario']}, seed {report['seed']}, {report['duration_s']:g} s"
    table = Table(title=title, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    answers = ", ".join(f"{count} {name}" for name, count in report["answers"].items() if count)
    rows: list[tuple[str, Any]] = [
        ("requests", report["requests"]),
        ("answers", answers),
        ("met a fault", report["met_fault"]),
        ("unavoidable", report["unavoidable"]),
        ("healed share", f"{report['healed_share']:.1%}"),
        ("healed by", _healed_by(report["healed_by_strategy"])),
        ("reader errors", report["reader_errors"]),
        ("wrong as good", report["wrong_as_good"]),
        ("lagging as good", report["lagging_as_good"]),
        ("time to detect (p50 / p95 / max)", _spread(report["time_to_detect_s"])),
        ("time to heal (p50 / p95 / max)", _spread(report["time_to_heal_s"])),
        ("longest wait", f"{report['longest_wait_s'] or 0:.2f} s"),
        ("upstream calls per request", _calls(report["upstream_calls_per_request"])),
        ("incidents, of endpoints' incidents", f"{report['incidents']}, "
         f"{report['incident_members']}"),
        ("diagnosed: cause right, scope exact", _diagnosed(report["diagnosis"])),
        ("alerts to people", report["alerts_sent"]),
        *_alert_rows(report["alerts"]),
        ("events told, lost, doubled", f"{report['events']}, {report['events_lost']}, "
         f"{report['events_doubled']}"),
        ("good data called bad", report["false_alarms"]),
        ("faults, undetected", f"{len(report['faults'])}, {report['faults_undetected']}"),
    ]  # fmt: skip
    if "launcher" in report:
        rows += _control_rows(report)
    for name, value in rows:
        table.add_row(name, str(value))
    if report["description"]:
        out.print(report["description"], markup=False)
    for each in report["mapped"]:
        out.print(f"  {each}", markup=False)
    out.print(table)
    classes = Table(title="By failure class")
    for column in ("failure class", "met", "healed"):
        classes.add_column(column)
    for name, counts in report["healed_by_class"].items():
        classes.add_row(name, str(counts["met"]), str(counts["healed"]))
    out.print(classes)
    for each in (*report["wrong_examples"], *report["error_examples"]):
        out.print(each, markup=False)
    for each in report["lagging_examples"]:
        out.print(f"lagging: {each}", markup=False)


def _alert_rows(alerts: dict[str, Any]) -> list[tuple[str, Any]]:
    """What people were told, and what Gatus would have sent of the same."""
    kinds = ", ".join(f"{n} {kind}" for kind, n in alerts["messages"].items() if n) or "-"
    gatus = alerts["gatus"]
    return [
        ("   messages, dashboard included", kinds),
        ("   most for one incident, over what is allowed",
         f"{alerts['per_incident_max']}, {alerts['over_allowed']}"),
        ("   to be told of, missed", f"{alerts['to_be_told']}, {alerts['missed_incidents']}"),
        ("   for healed faults", alerts["for_healed_faults"]),
        ("   faults with an alert", f"{alerts['faults_with_alert']} of {alerts['faults']}"),
        ("   Gatus: alerts, resolves", f"{gatus['alerts']}, {gatus['resolves']}"),
        ("   Gatus: missed, for healed faults",
         f"{gatus['missed_incidents']}, {gatus['for_healed_faults']}"),
    ]  # fmt: skip


def show_alerts(reports: Sequence[dict[str, Any]]) -> None:
    """Print what people were told over all drills, beside what Gatus would have sent."""
    table = Table(title=f"Alerts of {len(reports)} drills")
    columns = ("", "messages", "most for one incident", "over", "missed", "for healed faults")
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    all_alerts = [each["alerts"] for each in reports]
    table.add_row(
        "healing_pipeline: to people",
        str(sum(each["people_got"] for each in all_alerts)),
        str(max(each["per_incident_max"] for each in all_alerts)),
        str(sum(each["over_allowed"] for each in all_alerts)),
        str(sum(each["missed_incidents"] for each in all_alerts)),
        str(sum(each["for_healed_faults"] for each in all_alerts)),
    )
    gatus = [each["gatus"] for each in all_alerts]
    table.add_row(
        "Gatus, default rules",
        str(sum(each["messages"] for each in gatus)),
        "-",
        "-",
        str(sum(each["missed_incidents"] for each in gatus)),
        str(sum(each["for_healed_faults"] for each in gatus)),
    )
    out.print(table)
    out.print(f"Gatus: {gatus[0]['rules']}", markup=False)


def show_side_by_side(reports: Sequence[dict[str, Any]]) -> None:
    """Print the control path's times of the same drills under each launcher."""
    for name in dict.fromkeys(each["scenario"] for each in reports):
        same = [each for each in reports if each["scenario"] == name]
        table = Table(title=f"{name}, launcher by launcher (p50 / p95 / max)")
        table.add_column("")
        for each in same:
            table.add_column(each["launcher"], justify="right")
        columns = [dict(_control_rows(each)) for each in same]
        for row in dict.fromkeys(row for column in columns for row in column):
            table.add_row(row, *(column.get(row, "-") for column in columns))
        out.print(table)


def _control_rows(report: dict[str, Any]) -> list[tuple[str, Any]]:
    """What Dagster's part took, a line each."""
    return [
        ("launcher", report["launcher"]),
        ("detected, from a reader's meeting", _timed(report["detect_with_traffic_s"])),
        ("detected, from the fault's begin", _timed(report["detect_with_traffic_from_begin_s"])),
        ("detected where no reader asks", _timed(report["detect_idle_s"])),
        ("detected to first op", _timed(report["time_to_launch_s"])),
        ("detected to healed and verified", _timed(report["healed_and_verified_s"])),
        *((f"   {name.removesuffix('_s')}", _timed(each))
          for name, each in report["pieces"].items()),
        ("heals", ", ".join(f"{n} {end}" for end, n in report["heals"].items() if n) or "-"),
        ("started in", f"{report['started_in_s']:.1f} s"),
        ("machine", _machine(report["machine"])),
    ]  # fmt: skip


def _machine(machine: dict[str, Any]) -> str:
    load = f"load {machine['load_before']:.1f} before, {machine['load_after']:.1f} after"
    return f"{machine['cpus']} processors, {load}"


def _timed(values: dict[str, Any]) -> str:
    shown = _spread({name: values[name] for name in ("p50", "p95", "max")})
    missed = f", {values['undetected']} not" if values.get("undetected") else ""
    return f"{shown} (n {values['n']}{missed})"


def show_all(reports: Sequence[dict[str, Any]]) -> None:
    """Print a line for each drill."""
    table = Table(title=f"All {len(reports)} drills")
    for column in (
        "scenario",
        "requests",
        "met",
        "healed",
        "errors",
        "wrong",
        "lagging",
        "events lost",
        "",
    ):
        table.add_column(column)
    for report in reports:
        table.add_row(
            f"{report['scenario']} ({report['launcher']})"
            if "launcher" in report
            else report["scenario"],
            str(report["requests"]),
            str(report["met_fault"]),
            f"{report['healed_share']:.1%}",
            str(report["reader_errors"]),
            str(report["wrong_as_good"]),
            str(report["lagging_as_good"]),
            str(report["events_lost"] + report["events_doubled"]),
            "clean" if is_clean(report) else "[red]not clean[/red]",
        )
    out.print(table)


def _diagnosed(diagnosis: dict[str, Any]) -> str:
    of = diagnosis["of"]
    return f"{diagnosis['root_cause_right']} of {of}, {diagnosis['scope_exact']} of {of}"


def _healed_by(counts: dict[str, int]) -> str:
    most = sorted(counts.items(), key=lambda each: -each[1])
    return "\n".join(f"{count} {name}" for name, count in most) or "-"


def _spread(values: dict[str, float | None]) -> str:
    return " / ".join("-" if each is None else f"{each:.2f} s" for each in values.values())


def _calls(calls: dict[str, float | None]) -> str:
    shown = {name: "-" if each is None else f"{each:.2f}" for name, each in calls.items()}
    return f"{shown['healthy']} healthy, {shown['faulty']} faulty"
