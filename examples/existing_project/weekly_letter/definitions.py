"""The project's definitions, and those that watch and heal what it reads."""

from pathlib import Path

from healing_pipeline import merged_definitions
from weekly_letter import letter

CONFIG = Path(__file__).parents[1] / "healing_config.yaml"

# A module has one `Definitions`, or Dagster does not know which: `letter.own` is not imported here.
defs = merged_definitions(letter.own, CONFIG)
