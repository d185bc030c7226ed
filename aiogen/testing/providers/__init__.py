"""What every provider has to pass: every operation, with every answer that a vendor or the network may give."""
