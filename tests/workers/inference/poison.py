"""Stands for a reader that its input makes end the whole process."""

import os

if __name__ == "__main__":
    os.abort()
