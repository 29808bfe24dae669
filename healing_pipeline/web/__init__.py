"""The data path over HTTP, for whoever does not write Python: the gateway and its pages.

`gateway` is the ASGI application, `questions` turns a request into a question about a catalogued
endpoint, `answers` turns what the engine says into headers and body, `problems` holds all that can
go wrong, `pages` and `openapi` tell people and programs what there is, `serving` is the server.
"""
