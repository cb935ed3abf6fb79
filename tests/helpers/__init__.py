"""What several tests share; each module says for what."""
