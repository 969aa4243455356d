"""Which leaf a photo shows, by file names and near-identical pixels: photos of one leaf stay in one split."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from model.data import LabelledPhoto
from model.names import POTATO_FOLDER

# PlantVillage names a photo by a UUID and its shot number: "0051e5e8-...___RS_LB 4640.JPG".
PLANT_VILLAGE_NAME = re.compile(r"^[0-9a-f]{8}-[0-9a-f-]{27}___.* (\d+)\.jpe?g$", re.IGNORECASE)
SHOTS_PER_LEAF = 4
LEAF_SPAN = 12  # shot numbers that those of a leaf span at most; in the whole set 11
NEAR_IDENTICAL_BITS = 16  # of 256; a turned photo of another leaf may differ in no more than 20
# For photos taken one after the other: of other leaves, one pair in 3,000 differs in no more. Some of one
# leaf differ in up to 60.
ALIKE_BITS = 40
SEQUENCE_SPAN = 3
LAST_NUMBER = re.compile(r"\d{1,9}(?=\D*$)")  # of a longer one, its end


def difference_hashes(pixels: np.ndarray) -> np.ndarray:
    """Hash a photo as it is, first, and in the seven other ways to turn and mirror it.

    pixels: uint8 [S, S, 3]. Returns 256 bits each, uint64 [8, 4]; near-identical photos differ in few.
    """
    grey = pixels.sum(2, dtype=np.int64)
    return np.stack([_difference_hash(np.rot90(way, k)) for way in (grey, grey[:, ::-1]) for k in range(4)])


def _difference_hash(pixels: np.ndarray) -> np.ndarray:
    """Hash by whether int [S, S] brightens from left to right, in 16 x 16 cells (dHash; Krawetz 2013)."""
    size = len(pixels)
    rows = np.linspace(0, size, 17).astype(int)[:-1]
    columns = np.linspace(0, size, 18).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, 0), columns, 1)
    cells = sums / np.diff(np.append(columns, size))
    return np.packbits(cells[:, 1:] > cells[:, :-1]).view(np.uint64)


def leaves_by_name(photos: Sequence[LabelledPhoto]) -> tuple[np.ndarray, list[str]]:
    """Number the leaf that each photo shows, int [n], equal for photos of one leaf, going by file names.

    PlantVillage took every potato leaf four times: in the order of a class's shot numbers, each run of four
    is a leaf, unless it spans more than LEAF_SPAN numbers. Any other photo is a leaf of its own. Also returns
    a sentence for each class in which shots are missing, so that the runs may cut a leaf in two; give all
    photos found, readable or not.
    """
    leaf, warnings = np.arange(len(photos)), []
    shots = defaultdict(lambda: defaultdict(list))
    for i, p in enumerate(photos):
        match = PLANT_VILLAGE_NAME.match(p.path.name)
        if match and POTATO_FOLDER.match(p.folder):
            shots[p.source, p.folder][int(match[1])].append(i)
    for (source, folder), numbered in shots.items():
        order = sorted(numbered)
        whole = len(order) % SHOTS_PER_LEAF == 0
        for start in range(0, len(order), SHOTS_PER_LEAF):
            run = order[start : start + SHOTS_PER_LEAF]
            if run[-1] - run[0] >= LEAF_SPAN:
                whole = False
            else:
                for shot in run:
                    leaf[numbered[shot]] = numbered[run[0]][0]
        if not whole:
            warnings.append(
                f"{folder} of {source} has {len(order)} shots, not {SHOTS_PER_LEAF} of each leaf: some are "
                "missing, so photos of one leaf may count as several leaves."
            )
    return leaf, warnings


def merge_alike(leaves: np.ndarray, photos: Sequence[LabelledPhoto], hashes: np.ndarray) -> np.ndarray:
    """Count photos that look alike as one leaf.

    Near-identical ones are, turned or mirrored too, whatever their names; those taken one after the other may
    differ more. leaves: int [n]; hashes: of each photo by `difference_hashes`, uint64 [n, 8, 4]. Returns
    int [n], equal for photos of one leaf; some numbers may be missing.
    """
    _, leaf = np.unique(leaves, return_inverse=True)
    parent = np.arange(leaf.max() + 1)

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in chain(_near_identical(hashes), _in_sequence(photos, hashes[:, 0])):
        parent[find(leaf[j])] = find(leaf[i])
    return np.array([find(i) for i in leaf])


def _near_identical(hashes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield all pairs of photos one of which, turned or mirrored, is the other but for a few bits."""
    words = np.ascontiguousarray(hashes[:, 0].T)  # the same word of all photos in one piece: far quicker
    for i in range(len(hashes) - 1):
        rest, turned = words[:, i + 1 :], hashes[i]
        # One word of four tells nearly all other photos apart.
        way, j = np.nonzero(np.bitwise_count(rest[0] ^ turned[:, :1]) <= NEAR_IDENTICAL_BITS)
        distance = np.bitwise_count(rest[:, j] ^ turned[way].T).sum(0, dtype=np.uint16)
        yield from ((i, int(k)) for k in i + 1 + j[distance <= NEAR_IDENTICAL_BITS])


def _in_sequence(photos: Sequence[LabelledPhoto], upright: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield pairs of photos that look alike and whose names differ only in a number, and hardly in that."""
    series = defaultdict(list)
    for i, path in enumerate(p.path for p in photos):
        if match := LAST_NUMBER.search(path.stem):
            around = path.parent, path.stem[: match.start()], path.stem[match.end() :]
            series[around].append((int(match[0]), i))
    for members in map(sorted, series.values()):
        for at, (number, i) in enumerate(members, 1):
            for j in (j for later, j in members[at : at + SEQUENCE_SPAN] if later - number <= SEQUENCE_SPAN):
                if np.bitwise_count(upright[i] ^ upright[j]).sum() <= ALIKE_BITS:
                    yield i, j
