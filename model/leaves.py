"""Which leaf a photo shows, by file names and near-identical pixels: photos of one leaf stay in one split."""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from model.data import POTATO_FOLDER, LabelledPhoto

# PlantVillage names a photo by a UUID and its shot number: "0051e5e8-...___RS_LB 4640.JPG".
PLANT_VILLAGE_NAME = re.compile(r"^[0-9a-f]{8}-[0-9a-f-]{27}___.* (\d+)\.jpe?g$", re.IGNORECASE)
SHOTS_PER_LEAF = 4
LEAF_SPAN = 12  # shot numbers that those of a leaf span at most; in the whole set 11
# Of 256. Some photos of one leaf, taken one after the other, differ in more (17 to 60); other leaves in 28.
NEAR_IDENTICAL_BITS = 16


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """Hash a photo by whether it brightens from left to right, cell by cell of 16 x 16 (dHash; Krawetz 2013).

    pixels: uint8 [S, S, 3]. Returns 256 bits as uint64 [4]; near-identical photos differ in few of them.
    """
    size = len(pixels)
    rows = np.linspace(0, size, 17).astype(int)[:-1]
    columns = np.linspace(0, size, 18).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(pixels.sum(2, dtype=np.int64), rows, 0), columns, 1)
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
                "missing, so photos of one leaf may stand in two splits."
            )
    return leaf, warnings


def merge_near_identical(leaves: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Count near-identical photos as one leaf, whatever their names.

    leaves: int [n]; hashes: difference hashes, uint64 [n, 4]. Returns int [n], equal for
    photos of one leaf; some numbers may be missing.
    """
    _, leaf = np.unique(leaves, return_inverse=True)
    parent = np.arange(leaf.max() + 1)

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    words = np.ascontiguousarray(hashes.T)  # the same word of all photos in one piece: far quicker
    for i in range(len(leaf) - 1):
        distance = np.bitwise_count(words[:, i + 1 :] ^ words[:, i, None]).sum(0, dtype=np.uint16)
        for j in np.flatnonzero(distance <= NEAR_IDENTICAL_BITS):
            parent[find(leaf[i + 1 + j])] = find(leaf[i])
    return np.array([find(i) for i in leaf])
