"""What every store has to pass: checks of each promise of `Store`, and any order of everything that can happen."""
