"""Parts of the benchmark of online training: videos with hidden truth, what a tracker makes of them, and scores."""
