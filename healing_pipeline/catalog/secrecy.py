"""What looks like a secret. A configuration is shared and committed: it may hold none.

Judged by name (``apikey=``) and by the exact shapes of the keys our providers hand out. Messages
about a secret never quote it.
"""

from __future__ import annotations

import re

SECRET_FIELDS = frozenset(
    {"secret", "value", "key", "api_key", "apikey", "api-key", "token", "password"}
)
SECRET_PARAMS = frozenset(
    {"apikey", "accesskey", "accesstoken", "apitoken", "authtoken", "token", "secret", "password"}
)
SECRET_ASSIGNMENT = re.compile(r"(api|access|auth)[_-]?(key|token)\s*=", re.IGNORECASE)
# ExchangeRate-API: 24 hex digits; FRED and Polygon: 32 letters and digits
KEY_SHAPE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])([0-9a-f]{24}|[A-Za-z0-9_]{32})")
VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
# Alpha Vantage: 16 capitals and digits, which a variable could be called too, and is not
SHORTEST_KEY = 12


def is_variable_name(text: str) -> bool:
    """Whether `text` is the name of an environment variable rather than a key itself."""
    is_one_block = len(text) >= SHORTEST_KEY and "_" not in text
    if is_one_block and any(each.isdigit() for each in text):
        return False
    return VARIABLE.fullmatch(text) is not None


def is_secret_param(name: str) -> bool:
    """Whether a query parameter of this name carries a key."""
    return re.sub(r"[^a-z]", "", name.lower()) in SECRET_PARAMS


def looks_secret(text: str) -> bool:
    """Whether a path or a parameter's value holds a key."""
    if SECRET_ASSIGNMENT.search(text):
        return True
    return any(KEY_SHAPE.fullmatch(part) for part in re.split(r"[/?&=]", text))
