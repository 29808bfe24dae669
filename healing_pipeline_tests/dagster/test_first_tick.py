"""In a project of one's own, or a container: nobody but the sensors says what is looked at."""

from __future__ import annotations

from dagster_installation import QUIET, Installation

pytestmark = QUIET


def test_whoever_looks_first_sees_to_it_that_all_is_looked_at(installation: Installation) -> None:
    catalog = installation.resource.session().catalog.endpoints
    kept, *missing = sorted(catalog)
    installation.write(f"DELETE FROM healing.probe_schedule WHERE endpoint <> '{kept}'")
    installation.write("UPDATE healing.probe_schedule SET interval_s = 7")
    installation.resource.lookout()
    with installation.database.connection() as connection:
        rows = connection.execute(
            "SELECT endpoint, interval_s FROM probe_schedule ORDER BY endpoint"
        ).fetchall()
    intervals = dict(rows)
    assert set(intervals) == set(catalog)
    assert missing
    assert intervals[kept] == 7, "what was known stays as it was"
    assert all(intervals[name] == catalog[name].interval_s for name in missing)
