"""Instruments whose translator gives a wrong value fail the test that names the defect, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from judging import fails_alone
from negatives import Negative, cases
from toy import Toy


@pytest.mark.parametrize("negative", cases("values"))
def test_fails_the_test_that_names_it(negative: Negative, toy: Toy, tmp_path: Path) -> None:
    fails_alone(negative, toy, tmp_path)
