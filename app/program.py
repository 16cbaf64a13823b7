"""Where ``rapport`` starts."""

import gc


def main() -> None:
    """Load the command line and run it."""
    # Nothing that is imported is garbage: to look through it all the while would take a fifth of the start.
    gc.disable()
    from app import cli

    gc.freeze()
    gc.enable()
    cli.main()
