"""Other tools' monitors as a configuration of ours: text in, text and an account out; no I/O.

A file is read (`reading`, by `gatus` or `uptime_kuma`) into checks and into what cannot be carried
over with the reason; the checks are placed at sources (`placing`), and all of it is written
(`writing`). Whatever stood in the file is in exactly one place of the account.
"""
