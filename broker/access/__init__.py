"""Who may do what: tokens and JWTs, the same for the daemon, the dashboard and the alerts."""
