from pathlib import Path

import dagster as dg

from healing_pipeline.hooks import alert_on_failure, alert_on_success


@dg.op
def count_letters() -> int:
    return len(Path("letters.txt").read_text().splitlines())


@dg.job(hooks={alert_on_failure, alert_on_success}, tags={"owner": "ann"})
def letters() -> None:
    count_letters()


defs = dg.Definitions(jobs=[letters])
