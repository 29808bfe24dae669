"""What `dg` knows of us: components to write in YAML. Each puts together what others build."""
