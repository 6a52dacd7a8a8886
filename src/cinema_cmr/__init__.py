"""CineMA."""
