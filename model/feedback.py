"""Photos that visitors gave, with what they say is on them: photos to train on, in a folder or on the Hub."""

import json
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import numpy as np
from huggingface_hub import CommitScheduler
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from PIL import Image

from model.hub import HubError, require_token

WAITING = (
    Path.home() / ".cache" / "blightcheck" / "feedback"
)  # what is on its way to the Hub, a folder a repo
MINUTES = 2  # between commits

Keep = Callable[[np.ndarray, str, dict], None]


def keeper(place: str) -> Keep:
    """Return a function (pixels, folder, record) that keeps a photo.

    `place` is a folder, or a Hub dataset repo, which is created, private, if it is missing. A photo, uint8
    [h, w, 3] RGB, becomes `folder/*.jpg`, as train.py reads it, beside the record, as JSON. What waits for
    the Hub outlives a restart. Raises HubError with a sentence if the repo can't be written.
    """
    if Path(place).is_dir():
        return _into(Path(place), nullcontext())
    require_token()
    try:
        folder = WAITING / place.replace("/", "--")
        scheduler = CommitScheduler(
            repo_id=place, repo_type="dataset", folder_path=folder, every=MINUTES, private=True
        )
    except HFValidationError as error:
        raise HubError(f"{place} is neither a folder here nor a Hub id like user/repo.") from error
    except (HfHubHTTPError, httpx2.HTTPError) as error:
        raise HubError(
            f"The Hub did not let us write to the dataset {place}; check it and HF_TOKEN."
        ) from error
    return _into(folder, scheduler.lock)


def _into(place: Path, lock) -> Keep:
    def keep(pixels: np.ndarray, folder: str, record: dict) -> None:
        now = datetime.now(UTC)
        file = place / folder / f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}.jpg"
        with lock:  # a commit takes the photo and its record, or neither
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file, quality=92)
            file.with_suffix(".json").write_text(json.dumps({"time": now.isoformat()} | record))

    return keep
