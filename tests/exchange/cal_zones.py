# SPDX-License-Identifier: Apache-2.0
"""Time zones as Exchange names them: Windows ids, the 172-byte structure of MS-ASDTYPE 2.7.6, and zones made of rules.

The Windows ids and their IANA zones are CLDR's (Debian's unicode-cldr-core), the rules the system's tzdata.
"""
import calendar
import collections
import datetime
import functools
import struct
import xml.etree.ElementTree as ElementTree
import zoneinfo

CLDR = "/usr/share/unicode/cldr/common/supplemental/windowsZones.xml"
EPOCH = datetime.datetime(1970, 1, 1)
CUSTOM_ID = "tzone://Microsoft/Custom"

Rule = collections.namedtuple("Rule", "month weekday nth hour minute")
"""When a year switches, on the clock that runs until then: weekday 0 is Sunday, nth 5 the last one of the month."""

Rules = collections.namedtuple("Rules", "bias standard daylight daylight_bias")
"""Minutes: UTC = local + bias (+ daylight_bias in summer). `standard` is the switch to standard time; both or none."""


def seconds(naive):
    return int((naive - EPOCH).total_seconds())


def possible(naive):
    """Whether a calendar can hold this time (MS-OXOCAL 2.2.1.44.1)."""
    return 1602 <= naive.year <= 4499


class Zone:
    """Conversions between seconds since 1970 and local wall time (naive datetime)."""

    def __init__(self, ident, tz=None, rules=None, name=None):
        self.id, self.tz, self.rules = ident, tz, rules
        self.name = name or f"({utc_text(self.offset(0))}) {ident}"

    def __eq__(self, other):
        return isinstance(other, Zone) and (self.id, self.rules) == (other.id, other.rules)

    def __hash__(self):
        return hash((self.id, self.rules))

    def __repr__(self):
        return f"Zone({self.id!r})"

    def offset(self, epoch):
        """Seconds east of UTC at this instant."""
        if self.tz is not None:
            instant = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
            return int(instant.astimezone(self.tz).utcoffset().total_seconds())
        return rules_offset(self.rules, epoch)

    def local(self, epoch):
        return EPOCH + datetime.timedelta(seconds=epoch + self.offset(epoch))

    def epoch(self, naive):
        """A time that a switch skips is read on the clock before it; one that comes twice is the first."""
        wall = seconds(naive)
        found = sorted({wall - self.offset(wall - DAY), wall - self.offset(wall + DAY)})
        for guess in found:
            if guess + self.offset(guess) == wall:
                return guess
        return wall - self.offset(wall - DAY)

    def midnight(self, day):
        return self.epoch(datetime.datetime.combine(day, datetime.time()))


DAY = 86400


def utc_text(offset):
    if not offset:
        return "UTC"
    sign, rest = "+" if offset > 0 else "-", abs(offset) // 60
    return f"UTC{sign}{rest // 60:02d}:{rest % 60:02d}"


def rule_time(rule, year):
    """The naive local time at which a rule fires in a year."""
    first = (datetime.date(year, rule.month, 1).weekday() + 1) % 7
    day = 1 + (rule.weekday - first) % 7 + 7 * (rule.nth - 1)
    while day > calendar.monthrange(year, rule.month)[1]:
        day -= 7
    return datetime.datetime(year, rule.month, day, rule.hour, rule.minute)


def rules_offset(rules, epoch):
    standard = -rules.bias * 60
    if rules.daylight is None:
        return standard
    summer = standard - rules.daylight_bias * 60
    year = (EPOCH + datetime.timedelta(seconds=epoch + standard)).year
    begin = seconds(rule_time(rules.daylight, year)) - standard
    end = seconds(rule_time(rules.standard, year)) - summer
    inside = begin <= epoch < end if begin < end else not end <= epoch < begin
    return summer if inside else standard


# ---- the ids ----


@functools.lru_cache(maxsize=None)
def table():
    """({Windows id: IANA zone}, {IANA zone: Windows id})"""
    windows, iana = {}, {}
    for zone in ElementTree.parse(CLDR).getroot().iter("mapZone"):
        for name in zone.get("type").split():
            iana.setdefault(name, zone.get("other"))
            if zone.get("territory") == "001":
                windows[zone.get("other")] = name
    windows.setdefault("UTC", "Etc/UTC")
    iana.update({"UTC": "UTC", "Etc/UTC": "UTC", "Etc/GMT": "UTC"})
    return windows, iana


@functools.lru_cache(maxsize=None)
def find(ident):
    """The Zone with this Windows id, or None: ids are taken letter by letter."""
    name = table()[0].get(ident)
    return None if name is None else Zone(ident, zoneinfo.ZoneInfo(name))


def utc():
    return find("UTC")


def by_iana(name):
    """The Windows zone for an IANA name, or None."""
    ident = table()[1].get(name)
    return find(ident) if ident else None


def custom(rules, ident=CUSTOM_ID, name=None):
    return Zone(ident, rules=rules, name=name)


# ---- rules of a year ----


def switches(zone, year):
    """[(instant, seconds before, seconds after)] of a year, by looking at each day and then closer."""
    found = []
    at = seconds(datetime.datetime(year, 1, 1)) - zone.offset(seconds(datetime.datetime(year, 1, 1)))
    for _ in range(366 if calendar.isleap(year) else 365):
        before, after = zone.offset(at), zone.offset(at + DAY)
        if before != after:
            low, high = at, at + DAY
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if zone.offset(middle) == before else (low, middle)
            found.append((high, before, after))
        at += DAY
    return found


@functools.lru_cache(maxsize=4096)
def rules_of(zone, year):
    """The Rules with which a zone can be written down for a year."""
    if zone.rules is not None:
        return zone.rules
    found = switches(zone, year)
    summer = [s for s in found if s[2] > s[1]]
    winter = [s for s in found if s[2] < s[1]]
    if len(summer) != 1 or len(winter) != 1 or winter[0][2] != summer[0][1]:
        start = seconds(datetime.datetime(year, 1, 1))
        return Rules(-zone.offset(start) // 60, None, None, 0)
    offset, high = summer[0][1], summer[0][2]
    return Rules(-offset // 60, as_rule(*winter[0][:2]), as_rule(*summer[0][:2]), (offset - high) // 60)


def as_rule(instant, before):
    local = EPOCH + datetime.timedelta(seconds=instant + before)
    nth = (local.day - 1) // 7 + 1
    if local.day + 7 > calendar.monthrange(local.year, local.month)[1]:
        nth = 5
    return Rule(local.month, (local.weekday() + 1) % 7, nth, local.hour, local.minute)


# ---- MS-ASDTYPE 2.7.6 ----

BLOB = struct.Struct("<l64s8Hl64s8Hl")


def blob(zone, year):
    """The 172 bytes of a zone as its rules are in this year."""
    rules = rules_of(zone, year)
    name = zone.id.encode("utf-16-le")[:62]

    def date(rule):
        return (0, rule.month, rule.weekday, rule.nth, rule.hour, rule.minute, 0, 0) if rule else (0,) * 8

    daylight_name = zone.name.encode("utf-16-le")[:62]
    bias = rules.daylight_bias
    return BLOB.pack(rules.bias, name, *date(rules.standard), 0, daylight_name, *date(rules.daylight), bias)


def from_blob(data, year):
    """The Zone a blob means, or None when it is no such structure. All zero is UTC."""
    if len(data) != BLOB.size:
        return None
    fields = BLOB.unpack(data)
    if not any(data):
        return utc()
    name = fields[1].decode("utf-16-le", "replace").split("\0")[0]
    known = find(name)
    if known is not None:
        return known
    standard, daylight = date_rule(fields[2:10]), date_rule(fields[12:20])
    if "bad" in (standard, daylight) or (standard is None) != (daylight is None):
        return None
    rules = Rules(fields[0] + fields[10], standard, daylight, fields[20] - fields[10] if daylight else 0)
    return by_rules(rules, year)


def date_rule(fields):
    year, month, weekday, day, hour, minute, _, _ = fields
    if month == 0:
        return None
    if month > 12 or weekday > 6 or hour > 23 or minute > 59 or day == 0 or (year == 0 and day > 5):
        return "bad"
    if year:
        weekday, day = (datetime.date(year, month, day).weekday() + 1) % 7, min((day - 1) // 7 + 1, 5)
    return Rule(month, weekday, day, hour, minute)


def by_rules(rules, year):
    """The first Windows zone that has these rules in a year, else one of its own."""
    for ident in sorted(table()[0], key=lambda i: (i not in FIRST, i)):
        zone = find(ident)
        if rules_of(zone, year) == rules:
            return zone
    return custom(rules)


FIRST = ("UTC", "W. Europe Standard Time", "Eastern Standard Time", "Pacific Standard Time", "GMT Standard Time")
