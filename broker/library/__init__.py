"""The stream managers: one job's log as a generator of sanitized lines, without the daemon."""
