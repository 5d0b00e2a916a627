"""What a rules file holds, read, checked and compiled."""
