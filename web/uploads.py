"""The files that visitors uploaded."""

from pathlib import Path

from model.photo import PhotoError


def uploaded(photo: dict, folder: Path) -> Path:
    """Return the photo's file. Raises PhotoError unless it lies in `folder`: a caller may name any path."""
    file = Path(photo["path"] or "").resolve()
    if not (file.is_relative_to(folder.resolve()) and file.is_file()):
        raise PhotoError("The photo did not arrive; please send it again.")
    return file
