"""What the REST API takes and answers, for its documentation at /docs; the tests hold it against that."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import File, Query, UploadFile
from pydantic import BaseModel, Field, WithJsonSchema

from model.verdict import DIAGNOSIS, NOT_POTATO, UNSURE
from web.environment import MAX_PHOTOS, MAX_UPLOAD_MB

# Declared so that /docs and generated clients offer a file upload.
Photo = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]
OnePhoto = Annotated[Photo, File(description=f"a photo of {MAX_UPLOAD_MB} MB at most")]
SeveralPhotos = Annotated[
    list[Photo], File(description="photos", json_schema_extra={"minItems": 1, "maxItems": MAX_PHOTOS})
]
WithHeatmap = Annotated[bool, Query(description="answer with a heat map, too")]
Share = Annotated[float, Field(ge=0, le=1)]
Verdict = StrEnum("Verdict", {name: name for name in (DIAGNOSIS, UNSURE, NOT_POTATO)})


class Error(BaseModel):
    """Why there is no answer, in one sentence."""

    detail: str


class Shared(BaseModel):
    """What is said of one photo and of several."""

    label: str = Field(alias="class", description="what to show a person")
    confidence: Share = Field(description="probability of the likeliest class, if it is a potato leaf at all")
    verdict: Verdict
    probabilities: dict[str, Share] = Field(description="of all classes; they sum to 1")
    severity: Share | None = Field(description="share of the leaf's area with symptoms, if it was measured")


class Model(BaseModel):
    """Which model answered."""

    name: str
    revision: str | None


class Diagnosed(Shared):
    """The answer to one photo."""

    leaf_probability: Share = Field(description="that it is a potato leaf at all")


class Answer(Diagnosed):
    """The answer of /predict."""

    model: Model
    heatmap: str | None = Field(None, description="PNG data URL, if it was asked for and the model has one")


class Result(Diagnosed):
    """The answer to a photo of a batch."""

    file: str = Field(description="its name, as it came; the order is that of the photos sent")


class Failure(BaseModel):
    """A photo of a batch that can't be answered."""

    file: str
    error: str
    status: int


class Together(Shared):
    """The joint answer to several photos."""

    voters: int = Field(description="photos with a diagnosis, which it is made of")
    suspects: list[str] = Field(description="other diseases that some of the leaves show or look like")


class Summary(BaseModel):
    """A batch in short."""

    photos: int
    errors: int
    classes: dict[str, int] = Field(description='how many photos were called what, "Unsure" among it')
    together: Together | None


class Batch(BaseModel):
    """The answer of /predict/batch, photos in order."""

    results: list[Result | Failure]
    summary: Summary
    model: Model


class Health(BaseModel):
    """Which model answers, and how long the server has run."""

    model: Model
    classes: list[str]
    notice: str | None = Field(description="why another model answers than was asked for, or no newer one")
    uptime_seconds: float


REFUSALS = {
    400: "Not a picture, damaged, or a form that can't be read",
    408: "The upload took too long",
    413: "Too many bytes, pixels, photos or other fields, or too much in the file besides the picture",
    415: "A type of picture we don't read, or a compressed form",
    422: "No photo, several for /predict, or a wrong parameter",
    429: "Too many requests of one client; see Retry-After",
    503: "Too busy; see Retry-After",
    507: "The disk is full or closed",
}


def responses(answer: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe all responses of a call that takes photos."""
    refusals = {status: {"model": Error, "description": why} for status, why in REFUSALS.items()}
    return {200: {"model": answer}} | refusals
