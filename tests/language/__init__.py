"""What the product says, and what it says in each other language."""
