"""Re-identification: embedders, their training and evaluation."""
