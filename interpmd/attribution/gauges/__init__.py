"""What "absent" means: one gauge a file."""
