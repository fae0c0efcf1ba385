"""Read QATrack+'s context of a composite test, and attach files to one."""
