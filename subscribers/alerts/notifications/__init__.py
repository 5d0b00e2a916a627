"""Which receiver is to be told what."""
