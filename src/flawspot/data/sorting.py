"""Sorts the files of a folder: what to learn from, what to test on, and what is left out and why."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flawspot.data.masks import Masks
from flawspot.data.places import Parts, Place, place_of, said_to_be_good
from flawspot.data.roles import Role, role_of
from flawspot.data.samples import GOOD, UNREAD, ImageFolder, LeftOut, Taken
from flawspot.errors import DataError
from flawspot.runtime.listing import Listing, list_files, natural_key
from flawspot.runtime.marks import is_marked
from flawspot.texts import counted, listed

LEARN, TEST_GOOD, BOTH = "good, to learn from", "good, to test", "good, to learn from and to test"
_PASSED_BY = "a usual name of good parts, but not said to be good"
_FORMATS = "PNG, JPEG, TIFF, BMP, WebP, GIF, JPEG 2000 or AVIF"


@dataclass
class Sorted:
    """The files of one product, from which an `ImageFolder` is made."""

    root: Path
    good: frozenset[Parts] | None
    masks: Masks
    photographs: dict[Place, list[Path]] = field(default_factory=dict)
    train: list[Path] = field(default_factory=list)
    test: list[tuple[Place, Path]] = field(default_factory=list)
    taken: dict[tuple[str, str], int] = field(default_factory=dict)
    left_out: dict[tuple[str, str], list[Path]] = field(default_factory=dict)

    def learn(self, place: Place, role: str = LEARN) -> None:
        self.train += self.photographs[place]
        self._take(place, role)

    def evaluate(self, place: Place, *, told: bool = True) -> None:
        self.test += [(place, path) for path in self.photographs[place]]
        if told:
            self._take(place, TEST_GOOD if place.verdict is Role.GOOD else f"defective ({place.kind}), to test")

    def leave(self, place: Place, reason: str) -> None:
        self.leave_files(place.group, reason, self.photographs[place])

    def leave_files(self, folder: Parts, reason: str, paths: Iterable[Path]) -> None:
        self.left_out.setdefault(("/".join(folder) or ".", reason), []).extend(paths)

    def _order(self, path: Path) -> tuple[list[list[str | int]], str]:
        return natural_key(path.relative_to(self.root))

    def _take(self, place: Place, role: str) -> None:
        key = ("/".join(place.group) or ".", role)
        self.taken[key] = self.taken.get(key, 0) + len(self.photographs[place])

    def folder(self) -> ImageFolder:
        """All together."""
        self.train.sort(key=self._order)
        self.test.sort(key=lambda placed: self._order(placed[1]))
        samples = self.masks.of(self.test)
        with_masks = [sample for sample in samples if sample.mask is not None]
        order = sorted(self.taken, key=lambda key: (key[1] not in (LEARN, BOTH), key[1] != TEST_GOOD))
        taken = [Taken(*key, self.taken[key]) for key in order]
        if with_masks:
            taken.append(Taken(self.masks.folder, "masks", len(with_masks)))
        if self.masks.unused:
            self.leave_files((), "masks or annotations without a test photograph", self.masks.unused)
        left_out = [LeftOut(*key, tuple(paths)) for key, paths in self.left_out.items()]
        name = self.root.resolve().name
        files = (tuple(self.train), tuple(samples), tuple(taken), tuple(left_out))
        return ImageFolder(name, self.root, *files, self.masks.fault)


def sort_photographs(root: Path, good: Sequence[str] = (), *, within: str | None = None) -> ImageFolder:
    """See `flawspot.data.folders.open_folder`. `within` is the only folder of `root` to look at, besides masks.

    Raises:
        DataError: as for `open_folder`.
        ImageError: as for `open_folder`.
    """
    listing = _listing(root, within)
    files = [*listing.images, *listing.unread, *listing.companions]
    parts = {path: path.relative_to(root).parent.parts for path in files}
    said = said_to_be_good(good, set(parts.values()), root) if good else None
    read: Callable[[Parts], Place] = functools.cache(lambda folders: place_of(folders, said))
    places = {path: read(parts[path]) for path in files}
    found = Sorted(root, said, Masks(root, places, listing))
    for path in listing.images:
        place = places[path]
        if path in found.masks.files:
            continue
        if is_marked(path):
            found.leave_files(place.group, "drawn by flawspot", [path])
        elif place.is_depth:
            found.leave_files(place.group, "depth, which is not looked at", [path])
        elif place.is_contradictory:
            raise DataError(
                f"the folders of {path} are named after both good parts and defects: move it, or say which "
                "folders are good with --good NAME"
            )
        else:
            found.photographs.setdefault(place, []).append(path)
    _sort(found)
    for path in listing.unread:
        found.leave_files(places[path].group, UNREAD, [path])
    for path in listing.companions:
        if path not in found.masks.files:
            found.leave_files(places[path].group, "no photographs", [path])
    return found.folder()


def _listing(root: Path, within: str | None) -> Listing:
    if within is None:
        return list_files(root)
    listing = list_files(root / within)
    for child in sorted(root.iterdir(), key=lambda child: natural_key(Path(child.name))):
        if child.is_dir() and role_of(child.name) is Role.MASKS:
            masks = list_files(child)
            listing.images.extend(masks.images)
            listing.companions.extend(masks.companions)
    return listing


def _sort(found: Sorted) -> None:
    uses = {place.use for place in found.photographs}
    splits = [place for place in found.photographs if place.use in (Role.TRAIN, Role.TEST)]
    products = sorted({place.product[0] for place in splits if place.product}, key=lambda name: natural_key(Path(name)))
    if not found.photographs:
        raise DataError(_nothing(found.root))
    if products and all(place.product for place in splits):
        raise DataError(
            f"{found.root} holds {counted(len(products), 'product')} ({listed(products)}): "
            f"give the folder of one, such as {found.root / products[0]}"
        )
    if splits or Role.UNLABELLED in uses:
        _sort_split(found)
    elif any(place.verdict for place in found.photographs):
        _sort_classes(found)
    else:
        _sort_plain(found)


def _nothing(root: Path) -> str:
    split = [
        child.name for child in root.iterdir() if child.is_dir() and role_of(child.name) in (Role.TRAIN, Role.TEST)
    ]
    where = f"{root / 'train' / GOOD} or {root / 'test'}" if split else str(root)
    return f"no images in {where}: put photographs there, as {_FORMATS}"


def _sort_split(found: Sorted) -> None:
    """Folders for training and testing."""
    here = [place for place in found.photographs if not place.product]
    in_training = [place for place in here if place.use is Role.TRAIN]
    if in_training and not any(place.verdict is Role.GOOD for place in in_training):
        raise DataError(_train_without_good(found, in_training))
    in_test = [place for place in here if place.use is Role.TEST]
    _check_test(found, in_test)
    for place in found.photographs:
        if place in in_training and place.verdict is Role.GOOD:
            found.learn(place)
        elif place in in_training:
            defective = place.verdict is Role.DEFECTIVE
            unknown = "not known to be good; --good NAME says so"
            found.leave(place, "defective: nothing is learned from defects" if defective else unknown)
        elif place in in_test and not place.passed_by:
            found.evaluate(place)
        elif place.use is Role.VALIDATION:
            found.leave(place, "validation photographs: flawspot holds out its own")
        elif place.use is Role.UNLABELLED:
            found.leave(place, "without labels: it cannot be evaluated")
        else:
            found.leave(place, _PASSED_BY if place.passed_by else "beside the folders for training and testing")


def _train_without_good(found: Sorted, places: list[Place]) -> str:
    train = found.root.joinpath(*_top(places[0], Role.TRAIN))
    names = listed(dict.fromkeys("/".join(place.group) for place in places))
    return (
        f"{train} has no folder {GOOD}: put the photographs of good parts into {train / GOOD}, or say which are good "
        f"with --good NAME (there are photographs in {names})"
    )


def _top(place: Place, use: Role) -> Parts:
    at = next(i for i, part in enumerate(place.parts) if role_of(part) is use)
    return place.parts[: at + 1]


def _check_test(found: Sorted, places: list[Place]) -> None:
    loose = [place for place in places if place.kind is None and place.verdict is None]
    if loose:
        images = found.photographs[loose[0]]
        test = found.root.joinpath(*_top(loose[0], Role.TEST))
        raise DataError(
            f"{counted(len(images), 'image')} directly in {test}, such as {images[0].name}: "
            f"put good ones into {test / GOOD} and defective ones into a folder named after the defect"
        )
    unknown = [place for place in places if place.verdict is None and not place.passed_by]
    masked = {place for place in unknown if found.masks.has_for(place)}
    if found.good is None and not any(place.verdict is Role.GOOD for place in places) and set(unknown) - masked:
        names = dict.fromkeys("/".join(place.group) for place in unknown if place not in masked)
        raise DataError(_cannot_tell(found.root, names))


def _cannot_tell(root: Path, names: Iterable[str]) -> str:
    return (
        f"cannot tell which photographs in {root} are of good parts: there are {listed(names)}. Give the folder of the "
        f"good ones, or say --good NAME for each that is good, or name the folders {GOOD} and defective"
    )


def _sort_classes(found: Sorted) -> None:
    """Folders of good and of defective parts, without training and test folders. The good ones may be used for both."""
    if found.good is None:
        _check_one_product(found)
    unknown = [place for place in found.photographs if place.verdict is None and not place.passed_by]
    if unknown and found.good is None:
        known = listed(dict.fromkeys("/".join(p.group) for p in found.photographs if p.verdict))
        names = listed(dict.fromkeys("/".join(_meant(p)) or "photographs in no folder" for p in unknown))
        good = next((p for p in found.photographs if p.verdict is Role.GOOD), None)
        cure = "" if good is None else f"to learn from good parts give {found.root.joinpath(*good.group)}, or "
        raise DataError(
            f"{found.root} holds {known} beside {names}, which may be good or defective: {cure}say --good NAME for "
            "each folder that is good; all others are then defective"
        )
    for place in found.photographs:
        if place.verdict is Role.GOOD:
            found.learn(place, BOTH)
            found.evaluate(place, told=False)
        elif place.passed_by:
            found.leave(place, _PASSED_BY)
        elif place.kind is None:
            found.leave(place, "in no folder: neither good nor a kind of defect")
        else:
            found.evaluate(place)


def _check_one_product(found: Sorted) -> None:
    """Days and cameras may contain folders of good parts, but folders with other names without a meaning may be
    products."""
    above = {}
    for place in found.photographs:
        if place.verdict is Role.GOOD:
            at = next(i for i, part in enumerate(place.parts) if role_of(part) is Role.GOOD)
            above["/".join(part for part in place.parts[:at] if role_of(part) is None)] = place.parts[at]
    if len(above) > 1:
        name = next(iter(above.values()))
        raise DataError(
            f"{found.root} holds good photographs in {listed(one or 'no folder' for one in above)}, which may be "
            f"different products: give the folder of one, or say --good {name} to learn them all as one"
        )


def _sort_plain(found: Sorted) -> None:
    """No name has a meaning: all photographs are good parts, unless there are several kinds of folders."""
    own = role_of(found.root.resolve().name)
    kinds = list(dict.fromkeys(_meant(place) for place in found.photographs))
    while len(kinds) > 1 and () not in kinds and len({kind[0] for kind in kinds}) == 1:
        kinds = [kind[1:] for kind in kinds]  # one folder within the other
    firsts = dict.fromkeys("/".join(kind[:1]) or "photographs in no folder" for kind in kinds)
    if own is Role.DEFECTIVE:
        raise DataError(
            f"{found.root} is named after defects: give photographs of good parts, or say --good . if these are good"
        )
    if len(firsts) > 1 and own is not Role.GOOD:
        raise DataError(_cannot_tell(found.root, firsts))
    for place in found.photographs:
        found.learn(place)
    found.taken = {(".", LEARN): len(found.train)}


def _meant(place: Place) -> Parts:
    """The folders above, without those whose names mean nothing, such as dates."""
    return tuple(part for part in place.parts if role_of(part) not in (Role.CONTAINER, Role.OCCASION))
