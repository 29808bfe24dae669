"""The contenders of ``data_path.py``, and what is needed to hold them against each other."""
