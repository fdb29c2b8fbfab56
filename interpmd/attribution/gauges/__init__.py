"""What "absent" means in an explanation: atoms, molecules, groups, internal coordinates."""
