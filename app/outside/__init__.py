"""What lies outside the process: mail and the job queue."""
