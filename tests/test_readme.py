"""What the README and the default bundle say is what the code does."""

import re

from conftest import ROOT

from model import bundle, card

README = (ROOT / "README.md").read_text()


def test_the_figures_are_those_of_the_default_model():
    description = bundle.read(bundle.DEFAULT).description
    assert card.figures_table(description) in README


def test_the_training_command_is_the_one_that_made_the_default_model():
    joined = re.sub(r"\s*\\\n\s*", " ", README)
    assert bundle.read(bundle.DEFAULT).description["training"]["command"] in joined


def test_every_setting_and_endpoint_is_documented():
    files = [ROOT / "app.py", *(ROOT / "model").glob("*.py"), *(ROOT / "web").rglob("*.py")]
    app = "".join(file.read_text() for file in files)
    reader = r"whole_number\(|number_of_minutes\(|origins\(|networks\(|environ\.get\(|environ\["
    asked = rf'(?:{reader})"([A-Z_]+)"(?!\] =)'  # not what it sets itself
    for name in set(re.findall(asked, app)) - {"SPACE_ID", "XDG_CACHE_HOME"}:
        assert f"`{name}`" in README
    for path in re.findall(r'@api\.(?:get|post)\("([^"]+)"', app):
        assert path in README


def test_the_default_bundle_is_small_and_whole():
    files = [path for path in bundle.DEFAULT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10_000_000
    recorded = bundle.read(bundle.DEFAULT).description["files"]
    assert recorded == {
        path.relative_to(bundle.DEFAULT).as_posix(): bundle.sha256(path)
        for path in files
        if path.name not in (bundle.DESCRIPTION, bundle.CARD)
    }
