"""What a process has loaded that others are forked from: the program, and its schema, which takes half a second."""

import gc

import uvicorn
import uvloop

import app.main
from schema.schema import build_schema

LOADED = (app.main, uvicorn, uvloop)

build_schema()
gc.freeze()  # The collector of a fork need not look through it.
