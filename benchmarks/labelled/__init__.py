"""Faults whose truth is known, what was seen of them, and how a diagnosis of that scores."""
