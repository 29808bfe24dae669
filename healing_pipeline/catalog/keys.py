"""A source's pool of keys: names from the file, secrets from the environment."""

from __future__ import annotations

from collections.abc import Mapping

from healing_pipeline.catalog.document import Node, Scalar
from healing_pipeline.catalog.fields import Fields, as_table
from healing_pipeline.catalog.names import is_name, name_cure
from healing_pipeline.catalog.problems import Findings, shown
from healing_pipeline.catalog.secrecy import SECRET_FIELDS, is_variable_name
from healing_pipeline.catalog.values import ApiKey

NO_SECRETS = "Put the secret into an environment variable and write its name: `env: MY_API_KEY`."


def read_keys(
    node: Node,
    source: Scalar,
    *,
    environ: Mapping[str, str],
    simulated: Mapping[tuple[str, str], str] | None,
    is_simulated: bool,
    findings: Findings,
) -> tuple[ApiKey, ...]:
    """The keys that can be used, in the file's order.

    A secret comes from `environ`, or from `simulated` (by source and key name) when upstreams are
    simulated; there None means that nobody has said what the simulator takes. The first key has
    to have its secret; a spare without one is left out with a warning.
    """
    table = as_table(node, f"`keys` of source {shown(source.text)}", node.line, findings)
    if table is None:
        return ()
    keys: list[ApiKey] = []
    lines: dict[str, int] = {}
    for place, (name, value) in enumerate(table.entries):
        env = _variable(name, value, source, findings)
        if env is None:
            continue
        if env.text in lines:
            findings.error(
                env.line,
                f"Two keys of source {shown(source.text)} read {env.text} (line"
                f" {lines[env.text]} too).",
                "Give each key a variable of its own; a key that counts twice breaks its quota.",
            )
            continue
        lines[env.text] = env.line
        if is_simulated:
            secret = "" if simulated is None else simulated.get((source.text, name.text), "")
            is_missing = simulated is not None and not secret
        else:
            secret = environ.get(env.text, "").strip()
            is_missing = not secret
        if is_missing:
            _report_missing(name, env, source, place == 0, is_simulated, findings)
        else:
            keys.append(ApiKey(name.text, env.text, secret))
    return tuple(keys)


def _variable(name: Scalar, node: Node, source: Scalar, findings: Findings) -> Scalar | None:
    """The name of the variable that holds the key `name`."""
    if not is_name(name.text):
        # not quoted: a key may have been pasted here
        findings.error(name.line, "A key has a bad name.", name_cure("primary"))
        return None
    what = f"key {shown(name.text)} of source {shown(source.text)}"
    if isinstance(node, Scalar):
        # not quoted either
        problem = f"{what[:1].upper()}{what[1:]} must be a mapping with the key `env`."
        findings.error(node.line, problem, NO_SECRETS)
        return None
    fields = Fields(
        node,
        what=what,
        line=name.line,
        required=("env",),
        optional=(),
        findings=findings,
        hints=dict.fromkeys(SECRET_FIELDS, NO_SECRETS),
    )
    env = fields.text("env")
    if env is not None and not is_variable_name(env.text):
        problem = f"`env` of {what} is not the name of an environment variable (capitals, digits, _"
        findings.error(env.line, f"{problem}); is it the key itself?", NO_SECRETS)
        return None
    return env


def _report_missing(
    name: Scalar,
    env: Scalar,
    source: Scalar,
    is_first: bool,
    is_simulated: bool,
    findings: Findings,
) -> None:
    report = findings.error if is_first else findings.warn
    effect = "" if is_first else " It is left out of the pool."
    if is_simulated:
        report(
            env.line,
            f"The simulator has no key {shown(name.text)} for source {shown(source.text)}.{effect}",
            "Remove the key, drop the source, or set `upstreams: real`.",
        )
        return
    otherwise = (
        f"drop the source {shown(source.text)}, or set `upstreams: simulated`"
        if is_first
        else f"or remove the key {shown(name.text)}"
    )
    report(
        env.line,
        f"The environment variable {env.text} is not set, which holds key {shown(name.text)} of"
        f" source {shown(source.text)}.{effect}",
        f"`export {env.text}=...`, {otherwise}.",
    )
