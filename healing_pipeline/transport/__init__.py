"""The only sockets to the outside: the HTTP client of the data path and of probes."""
