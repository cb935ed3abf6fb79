"""The training loop; stages differ in their objective, the loss of a batch."""
