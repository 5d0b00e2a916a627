"""The daemon's HTTP API: health, metrics, jobs, and the replay of what was published."""
