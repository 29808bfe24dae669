"""What a data path has learned: the policy in force, replaced as a whole while requests run.

Each plan reads it anew, so a policy that is published in the middle of a request is used from its
next plan on.
"""

from __future__ import annotations

from healing_pipeline.learning.policy import EMPTY, Policy

# How much of a fingerprint goes on record with every decision: enough to tell policies apart.
FINGERPRINT_DIGITS = 12


class PolicyInForce:
    """Holds the policy; for one event loop.

    Parameters
    ----------
    policy : Policy
        Until another is put in.

    Attributes
    ----------
    policy : Policy
    fingerprint : str or None
        Its first digits; None for the empty policy.
    version : int or None
        Its number in the database; None where it has none.
    """

    __slots__ = ("fingerprint", "policy", "version")

    def __init__(self, policy: Policy = EMPTY) -> None:
        self.put(policy)

    def put(self, policy: Policy, version: int | None = None) -> None:
        """Let a policy be in force from now on."""
        # Taken here and not for each decision: it reads the whole policy.
        digits = None if policy == EMPTY else policy.fingerprint[:FINGERPRINT_DIGITS]
        self.policy, self.fingerprint, self.version = policy, digits, version
