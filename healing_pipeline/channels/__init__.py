"""Ways to people: the form a message takes on each, and what sends it there."""
