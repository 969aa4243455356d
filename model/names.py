"""What classes are called: by their folders, to people, and whatever the spelling."""

import re
import unicodedata

# What a class of potato's may be called after, before the name of a disease.
POTATO_PREFIX = re.compile(r"potato(es)?([ _-]+lea(f|ves)(?=__))?[ _-]+(?=[^ _-])", re.IGNORECASE)
POTATO_FOLDER = re.compile("potato|(early|late)[ _]?blight|healthy", re.IGNORECASE)  # starts like this
LONGEST_LABEL = 200  # letters
# What Python calls not printable but words hold: (non-)joiners, as in Persian and Hindi, and no-break spaces.
UNSEEN = (0x200C, 0x200D, 0xA0)


def spelled(name: str) -> str:
    """Return what all spellings of a name share, whatever their case, punctuation or coding of accents."""
    # By category, since to a regular expression the vowel signs of Indic scripts are no parts of words.
    letters = unicodedata.normalize("NFC", name).casefold()
    words = "".join(" " if unicodedata.category(letter)[0] in "PZ" else letter for letter in letters)
    return " ".join(words.split()) or name


def label_of(folder: str) -> str:
    """Name a class for people: "Potato___Early_blight", "potato_early_blight" -> "Early blight".

    Other crops keep theirs: what to do about potato's late blight is not what to do about tomato's.
    """
    crop = POTATO_PREFIX.match(folder)
    named = folder[crop.end() :] if crop else folder
    label = " ".join(named.replace("_", " ").split()) or folder
    return label[0].upper() + label[1:]


def is_label(label: object) -> bool:
    """Return whether a class can be called so wherever its name is shown."""
    if not isinstance(label, str) or len(label) > LONGEST_LABEL:
        return False
    seen = label.translate(dict.fromkeys(UNSEEN))
    return seen.strip() != "" and seen.isprintable()
