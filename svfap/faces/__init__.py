"""From raw video to face clip: detect, track, align, crop."""
