"""One file for each transport out of the broker."""
