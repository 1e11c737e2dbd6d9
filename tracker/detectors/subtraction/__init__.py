"""Parts of the motion detector: the background, blobs of foreground, the objects they are made of, the camera."""
