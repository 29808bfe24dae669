"""A world of failures whose truth is known, for measuring what learning is worth."""
