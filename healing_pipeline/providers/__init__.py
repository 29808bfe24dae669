"""The providers: a folder each with requests, classification rules and readings. Pure."""
