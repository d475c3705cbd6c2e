"""Arrays in, matplotlib Figure out: no torch, no files, no training."""
