"""What one account may do now: given events and the time, it returns actions and the moment of the next look.  Pure."""
