"""Photos that visitors gave, with what they say is on them: photos to train on, in a folder or on the Hub."""

import hashlib
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from huggingface_hub import CommitInfo, CommitOperationDelete, CommitScheduler
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from PIL import Image

from model import disk
from model.hub import FAILURES, NO_ANSWER, HubError, require_repo_id, require_token

WAITING = Path("~/.local/share/blightcheck/feedback")  # for the Hub, a folder a repo
MINUTES = 2  # between commits
PATIENCE = 10  # seconds for the last commit


class Outbox(CommitScheduler):
    """Commits what lies in a folder every few minutes, and then deletes it there."""

    def push_to_hub(self) -> CommitInfo | None:
        """Commit the folder, if there is anything in it."""
        committed = super().push_to_hub()
        sent = {path.name: path.parent.name for path in self.last_uploaded}
        there = self.api.list_repo_files(self.repo_id, repo_type=self.repo_type) if sent else []
        earlier = [  # what was said before of the same photos
            CommitOperationDelete(path)
            for path in there
            for folder, _, name in [path.rpartition("/")]
            if sent.get(name, folder) != folder
        ]
        if earlier:
            why = "Remove photos that were relabelled"
            self.api.create_commit(self.repo_id, earlier, commit_message=why, repo_type=self.repo_type)
        with self.lock:
            for path in self.last_uploaded:
                path.unlink(missing_ok=True)
            self.last_uploaded.clear()
        return committed


class Feedback:
    """Keeps photos in a folder, or in a dataset repo of the Hub."""

    def __init__(self, place: str) -> None:
        """Keep them in `place`: a folder, or a dataset repo, which is created, private, if it is missing.

        What could not be sent to the Hub waits on this machine. Raises HubError with a sentence if the folder
        or the repo can't be written.
        """
        self.folder, self.outbox, self.lock = Path(disk.at_home(place)), None, threading.Lock()
        if self.folder.is_dir():
            if not os.access(self.folder, os.W_OK):
                raise HubError(f"{place} can't be written; give it the rights it needs.")
            return
        require_repo_id(place, or_folder=True)
        require_token()
        try:
            self.folder = WAITING.expanduser() / place.replace("/", "--")
            self.outbox = Outbox(
                repo_id=place, repo_type="dataset", folder_path=self.folder, every=MINUTES, private=True
            )
            self.lock = self.outbox.lock
        except HfHubHTTPError as error:
            raise HubError(f"The Hub does not let us write to {place}; check it and HF_TOKEN.") from error
        except (*NO_ANSWER, OfflineModeIsEnabled) as error:
            raise HubError(f"The Hub can't be reached for {place}.") from error
        except (OSError, RuntimeError) as error:  # no home, or none of ours
            raise HubError(f"{WAITING} can't be written; set HOME to a folder that can.") from error

    def keep(self, pixels: np.ndarray, folder: str, record: dict) -> None:
        """Keep a photo, uint8 [h, w, 3] RGB, as `folder`/*.jpg, as train.py reads it, and a record, JSON.

        Raises OSError if they can't be written.
        """
        name = hashlib.sha256(pixels.tobytes()).hexdigest()[:20]  # the same photo again is one photo
        file = self.folder / folder / f"{name}.jpg"
        with self.lock:  # a commit takes the photo and its record, or neither
            file.parent.mkdir(parents=True, exist_ok=True)
            told = file.with_suffix(".json")
            if not (file.exists() and told.exists()):
                record = {"time": datetime.now(UTC).isoformat()} | record
                try:
                    Image.fromarray(pixels).save(file, quality=92)
                    told.write_text(json.dumps(record))
                except OSError:
                    for half in (file, told):
                        half.unlink(missing_ok=True)
                    raise
            for other in self.folder.glob(f"*/{name}.*"):  # what they said before of the same photo
                if other.parent != file.parent:
                    other.unlink()

    def close(self) -> None:
        """Send what still waits for the Hub."""
        if self.outbox:
            try:
                self.outbox.trigger().result(PATIENCE)
            except (*FAILURES, TimeoutError):
                print(f"The Hub can't be reached; feedback waits in {self.folder}.")
            finally:
                self.outbox.stop()
