"""How objects move between frames, and how the camera does."""
