"""The model that answers, and how a newer one takes its place while photos are being answered."""

import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from typing import NamedTuple

from huggingface_hub.utils import disable_progress_bars

from model import hub, selftest
from model.bundle import Bundle, BundleError, actual_folder, read
from model.classifier import Classifier, Diagnosis


def load(found: hub.Found) -> Classifier:
    """Load a bundle and put it to its self-test. Raises BundleError with a sentence."""
    classifier = Classifier(read(found.folder, found.name))
    for explain in (True, False):  # with its heat map, and without, it is another graph
        selftest.check(classifier.bundle, found.name, partial(classifier.answer, explain=explain))
    return classifier


class Served(NamedTuple):
    """A classifier, and where its bundle was found."""

    classifier: Classifier
    found: hub.Found


class Serving:
    """The model that MODEL_REPO names, with a Classifier's `bundle` and `diagnose`.

    now: what answers, replaced as a whole; notice: what to tell visitors of it, if anything.
    """

    def __init__(self, name: str | None) -> None:
        """Load the model. Raises hub.HubError or BundleError with a sentence, or OSError."""
        self.name = name
        found = hub.find(name)
        self.now, self.notice = Served(load(found), found), found.notice

    @property
    def bundle(self) -> Bundle:
        """The bundle of the model that answers now."""
        return self.now.classifier.bundle

    def diagnose(self, source: bytes | Path, explain: bool = False) -> Diagnosis:
        """Diagnose one photo, as Classifier does."""
        return self.now.classifier.diagnose(source, explain)

    def keep_fresh(self, minutes: float) -> None:
        """Look for a newer model every so many minutes from now on, on a thread."""
        disable_progress_bars()  # not one in the log each time

        def look() -> None:
            while True:
                time.sleep(60 * minutes)
                try:
                    self.refresh()
                except Exception:  # whatever it was: the model before goes on, and so does the looking
                    traceback.print_exc()
                    self.notice = "The newest model can't be served, and the model before goes on answering."

        threading.Thread(target=look, name="refresh", daemon=True).start()

    def refresh(self) -> None:
        """Let the newest revision answer from now on, if it is good; otherwise the one before goes on."""
        before = self.now.found
        which = before.name if before.is_local else self.name or "default"
        try:
            if before.is_local and not actual_folder(before.folder).is_dir():
                raise BundleError("its folder is gone.")  # the Hub may have another one of that name
            found = hub.fetch(self.name)
            which = f"{found.name}@{found.revision}" if found.revision else found.name
            newest = self._newest(found)
        except hub.UnreachableError as error:
            notice = f"{error} The model before goes on answering."
        except (hub.HubError, BundleError, OSError) as error:
            # Of the disk's errors no visitor is to see where.
            why = (error.strerror or "it can't be read") if isinstance(error, OSError) else error
            notice = f"{which} is not served, and the model before goes on answering: {why}"
        else:
            self.notice = None  # first: who sees the newer model sees no complaint about the one before
            self.now = Served(newest, found)
            return
        if notice != self.notice:
            print(f"app.py: {notice}", file=sys.stderr, flush=True)
        self.notice = notice

    def _newest(self, found: hub.Found) -> Classifier:
        """Return a classifier for what was found, the same one if nothing changed."""
        before = self.now.classifier
        if read(found.folder, found.name).description == before.bundle.description:
            return before  # it has the other files' sha256
        newest = load(found)
        if newest.bundle.classes != before.bundle.classes:
            labels = ", ".join(newest.labels)
            raise BundleError(f"its classes are others ({labels}); start the app again to serve it.")
        return newest
