"""What a restart goes on from."""
