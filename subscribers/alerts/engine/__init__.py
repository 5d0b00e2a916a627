"""Rules evaluated on frames: which alerts fire, and which resolve."""
