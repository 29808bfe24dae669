"""The health dashboard: pages rendered from PostgreSQL, and what changes while one looks at them.

`app` puts the routes together; a module per page declares its own with `pages_of`.
"""
