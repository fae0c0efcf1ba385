"""What QATrack+ gives a composite test, and what it takes from one."""
