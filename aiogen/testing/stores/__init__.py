"""What every store has to pass: a check of each promise of `Store`, and random sequences of events."""
