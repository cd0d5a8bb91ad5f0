"""What the terminal client is made of. It knows nothing of the server but what is on the wire."""
