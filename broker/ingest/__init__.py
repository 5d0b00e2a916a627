"""From a source's bytes to records for the bus: one ingest worker for each job."""
