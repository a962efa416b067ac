"""The role of a folder or label, from its name: good or defective parts, training or test, masks.

There is one table of the usual names in eight languages. Names are compared without case, accents, punctuation and
numbers, and without words that add nothing, so ``OK``, ``01_Good parts`` and ``gute Teile`` are all good. A name with
different meanings for different people (``positive``, ``0``, ``true``) has no role, because nothing is guessed.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata


class Role(enum.Enum):
    """The roles of names."""

    GOOD = "good"
    DEFECTIVE = "defective"
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    UNLABELLED = "unlabelled test"
    MASKS = "masks"
    CONTAINER = "container"
    """Neither good nor defective, such as ``images`` or ``data``."""
    OCCASION = "occasion"
    """Neither good nor defective: a date, ``day 3``."""
    DEPTH = "depth"


_NAMES: dict[Role, str] = {
    Role.GOOD: """
        good, ok, okay, normal, pass, passed, accept, accepted, healthy, intact, perfect, clean, conforming,
        non defective, not defective, nondefective, undamaged, defect free, no defect, no defects, without defects,
        anomaly free, no anomaly, flawless, faultless, golden, nominal, acceptable
        gut, gute, guten, gutteil, gutteile, io, i o, in ordnung, fehlerfrei, fehlerlos, einwandfrei, ohne fehler,
        ohne defekt, mangelfrei, unbeschadigt, iO teile
        良品, 合格, 合格品, 正常, 正常品, 良, 好, 好品, 无缺陷, 無缺陷, 无瑕疵, ok品, 良好
        正常系, 良品画像, 合格画像, 異常なし, 異常無し, 欠陥なし, 良い
        양품, 정상, 정상품, 합격, 합격품, 양호, 무결함
        bueno, buenos, buena, buenas, bien, correcto, correctos, correcta, correctas, aprobado, aprobados, aceptado,
        conforme, conformes, normales, sin defecto, sin defectos, sano, sanos
        bon, bons, bonne, bonnes, conformité, normale, normaux, sans défaut, sans défauts, accepté, acceptés, sain
        buono, buoni, buona, buone, normali, senza difetto, senza difetti, accettato, accettati, idoneo, integro
    """,
    Role.DEFECTIVE: """
        ng, bad, ko, nok, no good, not good, not ok, defect, defects, defective, defected, abnormal, anomaly, anomalies,
        anomalous, fail, failed, failure, failures, reject, rejects, rejected, faulty, fault, faults, flaw, flaws,
        flawed, damaged, damage, broken, nonconforming, non conforming, outlier, outliers, unhealthy, scrap,
        structural anomalies, logical anomalies, not normal, not passed
        schlecht, schlechte, schlechtteil, schlechtteile, nio, n i o, nicht in ordnung, nicht io, nicht i o, defekt,
        defekte, defektes, fehler, fehlerhaft, fehlerhafte, fehlerteile, ausschuss, mangelhaft, mangel, mängel,
        beschädigt, anomalie, anomalien, kaputt, nicht gut
        不良, 不良品, 不合格, 不合格品, 缺陷, 缺陷品, 缺陥, 异常, 異常, 瑕疵, 坏, 坏品, 次品,
        废品, 廢品, ng品, 有缺陷, 不正常
        欠陥, 欠陥品, 不具合, 異常品, キズ, 傷, 不良画像, 異常あり
        불량, 불량품, 결함, 이상, 비정상, 불합격, 불합격품, 결함품
        malo, malos, mala, malas, defecto, defectos, defectuoso, defectuosos, defectuosa, defectuosas, rechazado,
        rechazados, rechazo, no conforme, no conformes, anomalía, anomalías, anormal, anormales, fallo, fallos, dañado,
        mauvais, mauvaise, mauvaises, défaut, défauts, défectueux, défectueuse, défectueuses, non conforme,
        non conformes, rebut, rebuts, anormale, anormaux, rejeté, rejetés, pas bon, pas ok, cassé
        cattivo, cattivi, difetto, difetti, difettoso, difettosi, difettosa, difettose, scarto, scarti, scartato,
        scartati, non ok, anomalo, anomali, anormali, guasto, guasti, rotto
        scratch, scratches, crack, cracks, hole, holes, dent, dents, stain, stains, contamination, chipped, burr,
        bent, rust, corrosion, scratched, cracked, misplaced, kratzer, riss
    """,
    Role.TRAIN: """
        train, training, trainset, train set, training set, learn, learning
        trainieren, lernen, lerndaten, 训练, 訓練, 训练集, 訓練集, 学習, 学習用, 学習データ, 학습, 훈련, 학습용
        entrenamiento, entraînement, apprentissage, addestramento
    """,
    Role.VALIDATION: """
        validation, valid, val, dev, validierung, 验证, 驗證, 验证集, 検証, 検証用, 검증, validación, validazione,
        calibration, kalibrierung
    """,
    Role.TEST: """
        test, tests, testing, testset, test set, test public, evaluation, eval
        testen, prüfung, prufen, testdaten, 测试, 測試, 测试集, 測試集, テスト, テスト用, 評価, 테스트, 시험, 평가
        prueba, pruebas, essai, essais, évaluation, prova, prove, collaudo, valutazione
    """,
    Role.UNLABELLED: "test private, test private mixed, test unlabelled, test unlabeled, unlabelled, unlabeled",
    Role.MASKS: """
        ground truth, groundtruth, gt, mask, masks, annotation, annotations, segmentation, segmentations, label masks,
        defect masks, segmentation masks, seg, labelme, maske, masken, annotationen, 掩码, 掩膜, 掩碼, 标注, 標註, 蒙版
        マスク, マスク画像, 正解, アノテーション, 마스크, 정답,
        máscara, máscaras, anotaciones, masque, masques, maschera,
        maschere, annotazioni, vérité terrain
    """,
    Role.CONTAINER: """
        image, images, img, imgs, photo, photos, photograph, photographs, picture, pictures, data, dataset, rgb, raw,
        bilder, fotos, 图片, 图像, 圖像, 画像, 写真, 사진, 이미지, imagen, imágenes, immagini, foto
    """,
    Role.DEPTH: "xyz, depth, pcd",
}

_FILLERS = """part parts sample samples piece pieces product products item items image images img imgs photo photos
    photograph photographs picture pictures data set teil teile bild bilder foto fotos pieza piezas imagen imagenes
    pezzo pezzi immagini bauteil bauteile class klasse folder new all the"""
_COUNTED = re.compile(
    r"(day|date|week|month|batch|lot|shift|camera|cam|line|series|session|run|station|view|angle|side|tag|woche|charge"
    r"|schicht|kamera|linie|serie|lote|turno|camara|dia|jour|giorno|lotto)( ?\d+| [a-z])"
)
_DATE = re.compile(r"(19|20)\d\d([ ]?\d\d){0,5}(t\d+)?|(19|20)\d\d [a-z]{3,9}|\d\d? \d\d? (19|20)\d\d")


@functools.lru_cache(maxsize=10_000)
def role_of(name: str) -> Role | None:
    """The role of a folder or a label with this name; None if it is unknown.

    >>> role_of("01_Gutteile"), role_of("N.i.O."), role_of("a")
    (<Role.GOOD: 'good'>, <Role.DEFECTIVE: 'defective'>, None)
    """
    words = _folded(name)
    phrase = " ".join(words)
    if phrase in _table():
        return _table()[phrase]
    if _DATE.fullmatch(phrase) or _COUNTED.fullmatch(phrase):
        return Role.OCCASION
    meaning = " ".join(word for word in words if word not in _fillers() and not word.isdecimal())
    return _table().get(meaning) if meaning else None


def same_name(one: str, other: str) -> bool:
    """Whether two names differ only in case and Unicode form."""
    return _plain(one).casefold() == _plain(other).casefold()


@functools.cache
def _fillers() -> frozenset[str]:
    return frozenset(_FILLERS.split())


@functools.cache
def _table() -> dict[str, Role]:
    return {
        " ".join(_folded(name)): role
        for role, names in _NAMES.items()
        for name in re.split(r"[,\n]", names)
        if name.strip()
    }


def _folded(name: str) -> list[str]:
    """The words of a name without case, accents and punctuation: ``n.i.O.`` becomes n, i, o. camelCase is split."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", _plain(name))
    bare = "".join(c for c in unicodedata.normalize("NFKD", apart.casefold()) if unicodedata.category(c) != "Mn")
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", bare))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()
