"""The tests. Until everything is imported nothing is garbage: see pytest_collection_finish."""

import gc

gc.disable()
