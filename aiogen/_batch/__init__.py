"""Many requests that belong together: run, run again, and cleaned up."""
