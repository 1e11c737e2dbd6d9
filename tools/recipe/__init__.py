"""Parts of train_default_embedder.py: sources of pictures, network, training, whitening, scores, card."""
