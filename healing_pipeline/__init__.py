"""Watch third-party data endpoints, heal their failures, learn which remedy works where."""

__version__ = "0.1.0"
