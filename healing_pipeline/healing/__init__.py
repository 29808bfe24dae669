"""The data path's rules: strategies, plans, answers. Time, randomness and I/O come as arguments."""
