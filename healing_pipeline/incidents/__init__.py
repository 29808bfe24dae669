"""Incidents: from the first bad observation to recovery. Pure rules; storage applies them."""
