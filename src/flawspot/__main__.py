"""``python -m flawspot`` is ``flawspot``."""

from flawspot.cli import main

if __name__ == "__main__":
    main()
