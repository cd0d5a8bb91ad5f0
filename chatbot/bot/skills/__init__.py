"""What Diego works out instead of knowing it: skills, each a logic adapter of ChatterBot's."""
