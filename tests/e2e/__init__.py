"""Real images in real pods."""
