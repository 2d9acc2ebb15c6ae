"""What only a container needs: how it serves, how it shows that it lives, and what builds it."""
