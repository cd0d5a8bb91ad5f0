"""What processes of Diego tell each other, by Redis."""
