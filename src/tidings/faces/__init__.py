"""What each noun looks like to programs: one shape for the command line's `--json` and for HTTP."""
