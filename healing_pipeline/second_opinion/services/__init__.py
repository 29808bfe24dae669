"""Who can be asked; a service is a file."""
