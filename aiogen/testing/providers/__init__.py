"""What every provider has to pass: it is asked, and answered, in every way that a vendor or the network may."""
