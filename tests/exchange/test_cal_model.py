# SPDX-License-Identifier: Apache-2.0
"""The calendar's model: dates of patterns against dateutil, zones, and what is refused."""
import datetime
import random

import pytest

import cal_oracle
import cal_zones
from cal_model import Appointment, changed, changed_occurrence, checked, goid_of, without_occurrence
from cal_recur import DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY, YEARLY_NTH, Recurrence
from model import ModelError

BERLIN = cal_zones.find("W. Europe Standard Time")


def at(text, zone=BERLIN):
    return zone.epoch(datetime.datetime.fromisoformat(text))


def series(recurrence, start="2026-01-05T09:00", minutes=60, zone=BERLIN, **more):
    begin = at(start, zone)
    return checked(Appointment(zone, begin, begin + minutes * 60, recurrence=recurrence, **more))


def daily(count=10, start=datetime.date(2026, 1, 5), **more):
    return series(Recurrence(DAILY, start, count=count), **more)


def refused(code):
    return pytest.raises(ModelError, match=f"^{code}:")


def random_recurrence(dice):
    start = datetime.date(2020, 1, 1) + datetime.timedelta(days=dice.randrange(2500))
    kind = dice.choice((DAILY, WEEKLY, MONTHLY, MONTHLY_NTH, YEARLY, YEARLY_NTH))
    month = dice.randrange(1, 13)
    length = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    end = start + datetime.timedelta(days=dice.randrange(400, 3000))
    reach = dice.choice(({}, {"end": end}, {"count": dice.randrange(1, 60)}))
    return Recurrence(
        kind,
        start,
        interval=dice.choice((1, 1, 1, 2, 3, 5)),
        days=dice.choice((127, 62, 65, dice.randrange(1, 128))),
        day=dice.randrange(1, length + 1) if kind == YEARLY else dice.choice((1, 15, 28, 29, 30, 31)),
        index=dice.choice((1, 2, 3, 4, LAST)),
        month=month,
        first_day=dice.randrange(7),
        **reach,
    )


def test_dates_equal_dateutil():
    dice = random.Random(4)
    zones = ["W. Europe Standard Time", "Lord Howe Standard Time", "Eastern Standard Time", "Israel Standard Time"]
    for _ in range(80):
        recurrence = random_recurrence(dice)
        zone = cal_zones.find(dice.choice(zones))
        begin = zone.epoch(datetime.datetime.combine(recurrence.start, datetime.time(dice.randrange(24), 30)))
        try:
            cal = checked(Appointment(zone, begin, begin + 1800, recurrence=recurrence))
        except ModelError as error:
            assert error.code == "ErrorRecurrenceHasNoOccurrence"
            continue
        window = cal_oracle.utc(2020), cal_oracle.utc(2035)
        mine = [(*cal.span(day), cal.regular(day)[0]) for day in cal.between(*window)]
        assert mine == cal_oracle.occurrences(cal, *window), recurrence


def test_short_months_have_the_last_day():
    cal = series(Recurrence(MONTHLY, datetime.date(2026, 1, 31), day=31, count=4), "2026-01-31T09:00")
    assert [d.day for d in cal.recurrence.dates()] == [31, 28, 31, 30]


def test_series_begins_with_its_first_occurrence():
    cal = series(Recurrence(WEEKLY, datetime.date(2026, 1, 6), days=2), "2026-01-06T09:00")  # Mondays, from a Tuesday
    assert BERLIN.local(cal.start) == datetime.datetime(2026, 1, 12, 9) and cal.recurrence.start.day == 12


def test_wall_clock_over_daylight_saving():
    cal = series(Recurrence(DAILY, datetime.date(2026, 3, 28), count=3), "2026-03-28T09:00")
    assert [BERLIN.local(cal.span(d)[0]).hour for d in cal.dates()] == [9, 9, 9]
    assert [cal.span(d)[0] % 86400 // 3600 for d in cal.dates()] == [8, 7, 7]


def test_all_day_is_rounded_outwards():
    cal = checked(Appointment(BERLIN, at("2026-01-05T09:00"), at("2026-01-06T10:00"), all_day=True))
    assert (cal.start, cal.end) == (at("2026-01-05T00:00"), at("2026-01-07T00:00"))
    same = checked(Appointment(BERLIN, at("2026-01-05T00:00"), at("2026-01-05T00:00"), all_day=True))
    assert same.end == at("2026-01-06T00:00")


def test_times_that_are_refused():
    with refused("ErrorCalendarEndDateIsEarlierThanStartDate"):
        checked(Appointment(BERLIN, at("2026-01-05T09:00"), at("2026-01-05T08:00")))
    with refused("ErrorCalendarDurationIsTooLong"):
        checked(Appointment(BERLIN, at("2026-01-05T09:00"), at("2032-01-05T08:00")))
    with refused("ErrorOccurrenceTimeSpanTooBig"):
        daily(minutes=1500)
    with refused("ErrorRecurrenceHasNoOccurrence"):
        end = datetime.date(2026, 1, 8)
        series(Recurrence(WEEKLY, datetime.date(2026, 1, 6), days=1, end=end), "2026-01-06T09:00")


DAY = [datetime.date(2026, 1, 5) + datetime.timedelta(days=n) for n in range(10)]


def moved(cal, day, start, minutes=60):
    return changed_occurrence(cal, day, {"start": at(start), "end": at(start) + minutes * 60})


def test_an_occurrence_stays_between_its_neighbours():
    cal = daily()
    moved(cal, DAY[2], "2026-01-07T18:00")
    for start in ("2026-01-06T18:00", "2026-01-08T08:00", "2026-01-20T09:00"):
        with refused("ErrorOccurrenceCrossingBoundary"):
            moved(cal, DAY[2], start)
    with refused("ErrorOccurrenceTimeSpanTooBig"):
        moved(cal, DAY[2], "2026-01-07T18:00", 16 * 60)
    assert moved(cal, DAY[0], "2026-01-02T09:00").span(DAY[0])[0] == at("2026-01-02T09:00")
    last = moved(cal, DAY[9], "2026-03-01T09:00")
    assert last.span(DAY[9])[0] == at("2026-03-01T09:00")


def test_neighbours_count_where_they_are_now():
    every4 = series(Recurrence(DAILY, datetime.date(2026, 2, 15), interval=4, count=5), "2026-02-15T09:00")
    first, second = datetime.date(2026, 2, 15), datetime.date(2026, 2, 19)
    with refused("ErrorOccurrenceCrossingBoundary"):
        moved(every4, first, "2026-02-20T09:00")
    out_of_the_way = moved(every4, second, "2026-02-21T09:00")
    assert moved(out_of_the_way, first, "2026-02-20T09:00").exceptions.keys() == {first, second}
    gone = without_occurrence(every4, second)
    assert moved(gone, first, "2026-02-20T09:00")


def test_a_new_pattern_forgets_the_exceptions():
    cal = without_occurrence(moved(daily(), DAY[2], "2026-01-07T18:00"), DAY[4])
    kept = changed(cal, {"subject": "Other"})
    assert kept.exceptions and kept.deleted
    for fields in ({"recurrence": cal.recurrence}, {"start": at("2026-01-05T10:00"), "end": at("2026-01-05T11:00")}):
        new = changed(cal, fields)
        assert not new.exceptions and not new.deleted
    same = changed(cal, {"start": cal.start, "end": cal.end, "zone": cal.zone})
    assert same.exceptions and same.deleted


def test_deleted_occurrences():
    cal = without_occurrence(daily(count=2), DAY[0])
    with refused("ErrorItemNotFound"):
        changed_occurrence(cal, DAY[0], {"subject": "again"})
    with refused("ErrorCalendarOccurrenceIsDeletedFromRecurrence"):
        cal.date_of_index(1)
    assert cal.date_of_index(2) == DAY[1]
    with refused("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"):
        cal.date_of_index(3)
    assert without_occurrence(cal, DAY[1]) is None


def test_global_object_ids():
    assert goid_of("abc@example.com").endswith(b"vCal-Uid\x01\x00\x00\x00abc@example.com\x00")
    own = goid_of(
        "040000008200E00074C5B7101A82E00800000000B0AD53DB10BBD80100000000000000001000000000112233445566778899AABBCCDDEEFF"
    )
    assert len(own) == 56 and own[:4] == b"\x04\0\0\0"


@pytest.mark.parametrize("year", [2024, 2026])
def test_every_zone_survives_its_blob(year):
    for ident in cal_zones.table()[0]:
        zone = cal_zones.find(ident)
        data = cal_zones.blob(zone, year)
        assert len(data) == 172
        assert cal_zones.from_blob(data, year) is zone
        rules = cal_zones.rules_of(zone, year)
        if rules.daylight is not None:  # the rules alone say the same all the year round
            other = cal_zones.custom(rules)
            for week in range(52):
                instant = cal_oracle.utc(year) + week * 604800 + 43200
                assert other.offset(instant) == zone.offset(instant), (ident, week)


def test_unknown_blobs():
    assert cal_zones.from_blob(b"short", 2026) is None
    assert cal_zones.from_blob(bytes(172), 2026).id == "UTC"
    nameless = bytearray(cal_zones.blob(BERLIN, 2026))
    nameless[4:68] = bytes(64)
    assert cal_zones.from_blob(bytes(nameless), 2026) is BERLIN
