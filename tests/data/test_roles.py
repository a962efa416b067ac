"""What names say, in eight languages."""

import pytest

from flawspot.data.roles import Role, role_of, same_name

NAMES = {
    Role.GOOD: "OK ok Good GOOD_parts 01_good good-2024 Normal pass non_defective no-defect defect-free Gutteile "
    "i.O. iO fehlerfrei 良品 合格 正常 OK品 양품 정상 bueno Buenas sin_defectos bonne sans_défaut buono conforme "
    "goodParts ok2",
    Role.DEFECTIVE: "NG ng Bad KO nok not_ok not_good Defects abnormal anomaly fail REJECT faulty n.i.O. niO schlecht "
    "Ausschuss fehlerhaft beschädigt 不良 不良品 不合格 异常 異常 欠陥 불량 결함 malo defectuosos Défaut non_conforme "
    "rebut difettoso scarti scratch crack NG品",
    Role.TRAIN: "train Train TRAINING 训练 学習 학습 entrenamiento apprentissage addestramento",
    Role.TEST: "test Test tests test_public prüfung 测试 テスト 테스트 prueba essai collaudo",
    Role.VALIDATION: "val validation Valid 验证 検証",
    Role.UNLABELLED: "test_private test_private_mixed",
    Role.MASKS: "ground_truth GroundTruth masks Mask annotations 掩码 マスク 마스크 masques maschere máscaras",
    Role.OCCASION: "2024-05-01 20240501 day3 batch_12 Kamera2 2024_05_01_12_30",
    Role.CONTAINER: "images Data 画像",
    None: "a b 0 1 positive negative true bottle partially goodbye class_1 3",
}


@pytest.mark.parametrize(("role", "name"), [(role, name) for role, names in NAMES.items() for name in names.split()])
def test_usual_names(role, name):
    assert role_of(name) is role


def test_the_form_of_unicode_does_not_matter():
    assert role_of("de\u0301faut") is role_of("d\u00e9faut") is Role.DEFECTIVE
    assert role_of("\uff2f\uff2b") is Role.GOOD  # wide letters
    assert same_name("De\u0301faut", "d\u00e9faut")
    assert not same_name("good", "goods")
