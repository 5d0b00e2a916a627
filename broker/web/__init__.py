"""What every HTTP server of raytap is made of: it knows no daemon, and no subscriber."""
