"""CSV whose cells are data: no formulas in a spreadsheet, and the same texts when read again."""

import csv
import io

import pytest

from a2keras.cells import csv_rows, csv_text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\r=x", "'\r=x"),
        ("＝x", "'＝x"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("'=x", "''=x"),
        ("--1", "'--1"),
        ("-1.5", "-1.5"),
        ("-2e-07", "-2e-07"),
        ("a=b", "a=b"),
        ("'tis", "'tis"),
        ('a,"b"\nc', 'a,"b"\nc'),
        ("", ""),
    ],
)
def test_what_looks_like_a_formula_is_marked_and_comes_back(text, cell):
    written = csv_text([["name", text], [1, "b"]])
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["name", cell], ["1", "b"]]
    assert list(csv_rows(written)) == [["name", text], ["1", "b"]]


def test_numbers_stay_numbers():
    assert csv_text([[-1.5, 0.25, -3, "a b"]]) == "-1.5,0.25,-3,a b\n"


def test_what_is_no_csv_is_told():
    with pytest.raises(ValueError, match="unexpected end of data"):
        list(csv_rows('a,"b\n'))
