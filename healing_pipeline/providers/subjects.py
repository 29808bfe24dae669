"""What a question is about, as a tuple: the parts that all five providers put together alike.

A parameter belongs to a subject unless its provider's folder knows it for a window, for a matter of
form, or for the default. So one that nobody here has heard of can never slip into another question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from healing_pipeline.providers.urls import SECRET_PARAMS


def counted(
    params: Mapping[str, str],
    left_out: Collection[str] = (),
    defaults: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The parameters that belong to the subject, as ``name=value`` in order of their names.

    Parameters
    ----------
    params : Mapping[str, str]
    left_out : collection of str
        Names that change no number, and those the subject has a place of its own for.
    defaults : Mapping[str, str] or None
        Name to the value (lower case) that is the same as not to say anything.

    Notes
    -----
    Keys and sessions are never in it: a subject may be logged.
    """
    defaults = defaults or {}
    return tuple(
        f"{name}={value}"
        for name, value in sorted(params.items())
        if name not in left_out
        and name.lower() not in SECRET_PARAMS
        and defaults.get(name) != value.lower()
    )
