"""One row of a record, and what its columns mean."""

from __future__ import annotations

from dataclasses import replace

from cinema_cmr.core.analysis import Analysis
from cinema_cmr.report.record.build import build_record
from cinema_cmr.report.wide.columns import Columns
from cinema_cmr.report.wide.study_row import Codebook, study_row


def test_the_row_has_the_values_and_flags_of_the_record(analysis: Analysis) -> None:
    record = build_record(analysis)
    row = study_row(record)
    assert {one.name: one.value for one in record.measurements}.items() <= row.items()
    severe = [flag.code for flag in record.flags if flag.severity != "info"]
    assert row["flags"] == " ".join(severe)
    assert row["n_errors"] + row["n_warnings"] == len(severe)  # type: ignore[operator]
    assert row["study"] == record.study.name


def test_the_codebook_takes_the_rule_of_most_studies_whatever_their_order(analysis: Analysis) -> None:
    record = build_record(analysis)
    first = record.measurements[0]
    other = replace(record, measurements=(replace(first, rule="another rule"), *record.measurements[1:]))
    table = Columns()
    table.append(study_row(record))
    books = []
    for order in ([record, other, record], [other, record, record]):
        codebook = Codebook()
        for one in order:
            codebook.add(one)
        books.append(codebook)
    assert books[0].meaning(first.name) == books[1].meaning(first.name)
    assert books[0].meaning(first.name).rule == first.rule
    assert books[0].units[first.name] == first.unit
    assert len(books[0].table(table)) == len(table.names)
