"""One file for each kind of receiver: what an alert looks like there, and how it is sent."""
