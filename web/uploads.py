"""The files that visitors uploaded, and why one could not be answered, in their language."""

from pathlib import Path

from model.photo import PhotoError
from web.texts import text


class LostError(PhotoError):
    """The upload is gone, or was never one."""

    reason = "lost"
    sentence = "The photo did not arrive; please send it again."


def uploaded(photo: dict, folder: Path) -> Path:
    """Return the photo's file. Raises LostError unless it lies in `folder`: a caller may name any path."""
    file = Path(photo["path"] or "").resolve()
    if not (file.is_relative_to(folder.resolve()) and file.is_file()):
        raise LostError
    return file


def explain(language: str, error: PhotoError) -> str:
    """Say in a language why a photo could not be answered."""
    return text(language, f"refused.{error.reason}", **error.values)
