"""All reads, filtered by who asks."""
