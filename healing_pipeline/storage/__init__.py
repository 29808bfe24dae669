"""PostgreSQL: an embedded server, migrations, named SQL, one module per noun, and the recorder."""
