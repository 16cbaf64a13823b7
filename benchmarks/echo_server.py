"""(d) A bare Starlette application that reads a request and sends bytes it has kept: what HTTP alone costs.

``ANSWERS`` names a folder; ``POST /NAME`` is answered with its file ``NAME.json``, ``PORT`` says where.
"""

import os
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def create_app(folder: Path) -> Starlette:
    """The application for the answers in ``folder``."""
    answers = {path.stem: path.read_bytes() for path in folder.glob("*.json")}

    async def echo(request: Request) -> Response:
        await request.body()
        return Response(answers[request.path_params["name"]], media_type="application/json")

    return Starlette(routes=[Route("/{name}", echo, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(
        create_app(Path(os.environ["ANSWERS"])), port=int(os.environ["PORT"]), log_level="warning", access_log=False
    )
