"""`raytap demo`: everything that it starts, shows and checks."""
