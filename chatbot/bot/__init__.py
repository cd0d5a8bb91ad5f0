"""The engine: what Diego knows and how he finds a reply. It knows neither sockets nor providers."""
