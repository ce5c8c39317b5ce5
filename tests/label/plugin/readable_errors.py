"""MONAI Label's server, whose errors say why: stock MONAI Label answers any with "Internal Server Error".

Put this file's folder on ``PYTHONPATH`` and start the server with ``--uvicorn_app readable_errors:app``.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.responses import JSONResponse
from monailabel.app import app
from monailabel.interfaces.exception import MONAILabelError, MONAILabelException

__all__ = ["app"]


@app.exception_handler(Exception)
async def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer with the reason, which ``detail`` holds, as FastAPI's own errors do.

    Status 404 for an image that the datastore does not hold or a model that is not served, 422 for a file that a
    bundle refuses, 500 for all others.
    """
    for one in chain(error):
        if isinstance(one, MONAILabelException):
            return JSONResponse({"detail": one.msg}, 404 if one.error is MONAILabelError.INVALID_INPUT else 500)
        # By name: each packed bundle brings a copy of the class.
        if any(kind.__name__ == "MonaiMtlError" for kind in type(one).__mro__):
            return JSONResponse({"detail": str(one)}, 404 if isinstance(one, FileNotFoundError) else 422)
    first = list(chain(error))[-1]
    return JSONResponse({"detail": f"{type(first).__name__}: {first}"}, 500)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, what caused it, and so on: MONAI wraps what a transform raises."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
