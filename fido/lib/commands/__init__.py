"""What management commands share: arguments and progress."""
