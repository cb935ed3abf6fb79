"""Train a head on features of a frozen encoder, computed once per view and kept on the disk."""
