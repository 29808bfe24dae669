"""Simulated upstreams: a process that speaks the five providers' HTTP and knows the truth.

`market` and `series` are the truth, pure functions of a seed and of time; `upstreams` renders it
the way each provider does; `scenario` and `faults` say what goes wrong when; `server`, `connection`
and `delivery` hold the sockets; `truth` answers what a correct reading would have been.
"""
