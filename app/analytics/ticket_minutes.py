"""The minutes that tickets take, in steps.

Of each day is kept how many tickets took how long, in steps each a fifth longer than the one before. So the step in
which a percentile lies is known, and few tickets need to be looked at for the exact value.
"""

LIMITS: tuple[float, ...] = tuple(round(2 ** (quarter / 4), 3) for quarter in range(-16, 81))
"""From four seconds to two years: the step ``n`` begins at the limit ``n``, counted from 1, and ends before the next;
what is less than all of them is in the step 0. With other limits, everything has to be counted anew."""

STEPS = f"ARRAY[{', '.join(map(str, LIMITS))}]::float8[]"
"""The limits as they stand in a statement."""
