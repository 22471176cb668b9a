"""What a run leaves besides its video and its measure: its log, the output of a failure, and figures of its own."""
