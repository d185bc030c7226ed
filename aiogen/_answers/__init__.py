"""What the vendor's answers and the ends of jobs mean. Pure."""
