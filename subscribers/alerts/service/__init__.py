"""`raytap alerts` as a process."""
