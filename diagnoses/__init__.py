"""The data, and what people see of it."""
