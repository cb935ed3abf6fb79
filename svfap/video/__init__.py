"""From pixels to tensors: decode, encode, choose frames, transform."""
