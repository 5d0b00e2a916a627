"""The sample jobs. They run on a cluster as plain scripts and import nothing of raytap."""
