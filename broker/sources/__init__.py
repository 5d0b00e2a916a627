"""Ways to get a job log's bytes out of Ray: one file for each source."""
