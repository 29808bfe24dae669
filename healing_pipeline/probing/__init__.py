"""What a probe can find: verdicts on responses, and the words they are given in."""
