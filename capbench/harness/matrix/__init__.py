"""What is to be run: matrix files, their expansion, command lines and revisions. Running it lives in `run`."""
