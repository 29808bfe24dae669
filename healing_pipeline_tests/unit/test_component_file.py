"""A component's file is a configuration: read as it stands, with its own lines."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import Any

import jsonschema
import pytest
import yaml

from healing_pipeline.catalog.default import default_config_text
from healing_pipeline.catalog.json_schema import configuration_schema
from healing_pipeline.catalog.load import check
from healing_pipeline.catalog.problems import Problem
from healing_pipeline.catalog.settings import OPTIONAL, REQUIRED, load_settings
from healing_pipeline.components.healing_sources import HealingSourcesAttributes
from healing_pipeline.components.scaffolding import CONFIGURATION
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog
from healing_pipeline.providers.registry import provider_names

HEAD = "type: healing_pipeline.HealingSources\nattributes:\n"
POST = "post_processing: {assets: []}\n"


def component(text: str = CONFIGURATION) -> str:
    return HEAD + indent(text, "  ") + POST


def problems(text: str) -> list[Problem]:
    return check(text, path=Path("defs.yaml"), environ={}, providers=provider_names())


def test_a_component_holds_the_same_catalog_as_the_configuration_in_it(tmp_path: Path) -> None:
    plain, inside = tmp_path / "healing_config.yaml", tmp_path / "defs.yaml"
    plain.write_text(default_config_text(), "utf-8")
    inside.write_text(component(default_config_text()), "utf-8")
    assert load_catalog(inside, {}) == load_catalog(plain, {})
    assert load_settings(inside, environ={}) == load_settings(plain, environ={})


def test_a_mistake_is_told_with_its_line_in_the_components_file() -> None:
    text = component(CONFIGURATION.replace("interval_s: 300", "interval_s: 5"))
    (found,) = problems(text)
    assert "interval_s: 5" in text.splitlines()[found.line - 1]
    assert "from 30 to 600" in found.cure


@pytest.mark.parametrize(
    ("text", "line", "problem", "cure"),
    [
        ("type: a.B\n", 1, "no attributes", "Add `attributes:`"),
        (HEAD + "  config: x.yaml\n", 3, "this one holds none", "Name that file"),
        (
            HEAD + "  upstreams: real\n  config: x.yaml\n",
            4,
            "`upstreams` stands beside it",
            "Keep `config` alone",
        ),
        (
            component(CONFIGURATION.replace("https://api.polygon.io", "'{{ env.HOST }}'")),
            HEAD.count("\n") + CONFIGURATION[: CONFIGURATION.index("polygon.io")].count("\n") + 1,
            "A template",
            "Write the value itself",
        ),
        (HEAD, 1, "is empty", "`upstreams`, `sources`, `endpoints`"),
    ],
)
def test_what_a_components_file_cannot_say_is_told_with_line_and_cure(
    text: str, line: int, problem: str, cure: str
) -> None:
    found = problems(text)[0]
    assert (found.line, found.severity) == (line, "error")
    assert problem in found.problem
    assert cure in found.cure


def test_a_template_is_never_taken_for_a_value(tmp_path: Path) -> None:
    path = tmp_path / "defs.yaml"
    path.write_text(component(CONFIGURATION.replace("simulated\n", "'{{ env.WHERE }}'\n", 1)))
    with pytest.raises(ConfigurationError, match="A template"):
        load_settings(path, environ={})


# -- the schema ------------------------------------------------------------------------------------


def keys_that_are_read(text: str, marker: str) -> set[str]:
    """The keys that the configuration's reading names when it meets an unknown one."""
    (found,) = [each for each in problems(text) if marker in each.problem]
    return set(found.cure.partition("Known keys: ")[2].replace("`", "").rstrip(".").split(", "))


def test_the_schema_has_every_key_that_is_read_and_no_other() -> None:
    schema = configuration_schema()["properties"]
    assert set(schema) == {*REQUIRED, *OPTIONAL}
    odd = CONFIGURATION.replace("    quota: {per_minute: 5}", "    zzz: 1")
    source = schema["sources"]["additionalProperties"]
    assert set(source["properties"]) == keys_that_are_read(odd, "in source `polygon`")
    odd = CONFIGURATION.replace("    interval_s: 300", "    zzz: 1")
    endpoint = schema["endpoints"]["additionalProperties"]
    assert set(endpoint["properties"]) == keys_that_are_read(odd, "in endpoint")


@pytest.mark.parametrize(
    "text", [default_config_text(), CONFIGURATION], ids=["default", "scaffold"]
)
def test_what_is_accepted_is_valid_by_the_schema(text: str) -> None:
    assert not [each for each in problems(text) if each.severity == "error"]
    assert not mistakes(yaml.safe_load(text))
    assert not mistakes({"config": "healing_config.yaml"})


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("sources"),
        lambda it: it["sources"]["yahoo"].pop("hosts"),
        lambda it: it["sources"]["yahoo"].update(quotas={}),
        lambda it: it["endpoints"]["yahoo/chart-spy-1d"].update(interval="1m"),
        lambda it: it["endpoints"]["yahoo/chart-spy-1d"].update(accepts=["anything"]),
        lambda it: it.update(config="healing_config.yaml"),
        lambda it: it.update(upstreams="simulate"),
    ],
)
def test_a_slip_is_not_valid_by_the_schema(change: Any) -> None:
    written = yaml.safe_load(CONFIGURATION)
    change(written)
    assert mistakes(written)


def mistakes(written: object) -> list[str]:
    validator = jsonschema.Draft202012Validator(HealingSourcesAttributes.model_json_schema())
    return [each.message for each in validator.iter_errors(written)]


def test_the_schema_is_one_itself_and_says_what_each_key_is() -> None:
    schema = configuration_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    described = [
        *schema["properties"].values(),
        *schema["properties"]["sources"]["additionalProperties"]["properties"].values(),
        *schema["properties"]["endpoints"]["additionalProperties"]["properties"].values(),
    ]
    assert all(each["description"] for each in described)
