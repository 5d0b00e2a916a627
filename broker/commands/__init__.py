"""The subcommands: each module's `command` is what `raytap <name>` runs."""
