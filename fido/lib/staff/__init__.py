"""What the staff pages of every app share."""
