"""What a sent file is, and what its pixels are: pure functions over bytes, without Django.

The web uses it to check and to show files, the workers to read them, training to learn from them, so that a
picture is decoded in one way everywhere.
"""
