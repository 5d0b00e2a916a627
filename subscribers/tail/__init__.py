"""`raytap tail`: lines of jobs, printed as they come."""
