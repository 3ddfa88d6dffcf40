"""The whole product under faults of every kind, one after another, while studies come in without end."""
