"""`HealingSources`: sources that are watched and healed, as a component of a Dagster project."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import dagster as dg

from healing_pipeline.catalog.component_file import CONFIG
from healing_pipeline.catalog.json_schema import configuration_schema
from healing_pipeline.components.scaffolding import HealingSourcesScaffolder
from healing_pipeline.definitions import build_definitions
from healing_pipeline.errors import ConfigurationError

# Dagster's names for a component's file, in the order in which it looks for them.
FILES = ("defs.yaml", "defs.yml", "component.yaml")


class HealingSourcesAttributes(dg.Model):
    """What stands under `attributes`: a configuration, or `config`, the file that holds it.

    Dagster shows the schema. What is wrong is told by the configuration's own reading, which knows
    the line and the cure: nothing is judged here.
    """

    model_config: ClassVar = {"extra": "allow"}

    @classmethod
    def model_json_schema(cls, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
        """The configuration's schema, with what may stand in its place."""
        schema = configuration_schema()
        required = schema.pop("required")
        file = {
            "type": "string",
            "description": "A configuration file, relative to this one; then nothing else.",
        }
        return {
            **schema,
            "title": "HealingSources",
            "properties": {CONFIG: file, **schema["properties"]},
            "oneOf": [
                {"required": required, "not": {"required": [CONFIG]}},
                {"required": [CONFIG], "maxProperties": 1},
            ],
        }


@dg.scaffold_with(HealingSourcesScaffolder)
class HealingSources(dg.Component):
    """Third-party data endpoints that are watched, and healed before a reader notices.

    Brings a sensor for each source, the jobs that heal, learn and report, assets with their checks,
    and the resource `healing_client`, through which assets of yours read. A project has one.

    Parameters
    ----------
    config : str or Path
        The configuration: a file as `healing init` writes it, or the component's own file.
    """

    def __init__(self, config: str | Path) -> None:
        self.config = Path(config)

    @classmethod
    def get_model_cls(cls) -> type[dg.Model]:
        """The attributes that may be written in YAML."""
        return HealingSourcesAttributes

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg list components` tells."""
        return dg.ComponentTypeSpec(
            tags=["monitoring", "reliability"],
            produces=["asset", "asset_check", "job", "resource", "schedule", "sensor"],
        )

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> HealingSources:
        """Take the configuration from the component's file, or from the one that this names.

        Where it names one and holds a configuration too, reading it tells the line and the cure.
        """
        folder = context.component_path.file_path
        written = next(folder / each for each in FILES if (folder / each).exists())
        given = {} if attributes is None else dict(attributes.model_extra or {})
        return cls(folder / str(given[CONFIG]) if set(given) == {CONFIG} else written)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Build what `build_definitions` does for the configuration.

        Raises
        ------
        ConfigurationError
            If the configuration cannot be used, or the project has another of these components.
        """
        found = context.component_tree.get_all_components(HealingSources)
        if len(found) > 1:
            places = ", ".join(f"`{_within(each.config, context)}`" for each in found)
            raise ConfigurationError(
                f"This project has {len(found)} HealingSources: {places}.",
                "Write all sources into one of them and remove the other: one set of sensors and"
                " jobs serves every source. Or give it a code location of its own.",
            )
        return build_definitions(self.config)


def _within(path: Path, context: dg.ComponentLoadContext) -> Path:
    root = context.project_root
    return path.relative_to(root) if path.is_relative_to(root) else path
