"""Tables and intervals as text."""

from cinema_cmr.report.markdown import Table, interval_text, markdown_table, number_text


def test_what_is_not_known_is_a_dash() -> None:
    assert interval_text(None, 1) == "-" == number_text(None, 2)
    assert interval_text({"value": None, "low": None, "high": None, "n": 0}, 1) == "-"
    assert interval_text({"value": 2.0, "low": None, "high": None, "n": 1}, 1) == "2.0 (- to -; 1)"


def test_a_table_has_its_heads_and_rows() -> None:
    assert markdown_table(Table(["a", "b"], [["1", "2"]])) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
