"""What one account may do now: from events and the time to actions and the moment of the next look.  Pure."""
