"""What the staff's pages of every app share."""
