# SPDX-License-Identifier: Apache-2.0
"""XML of recurrences and time zones, and the small conversions of text that both halves share."""
import html
import re

import cal_zones
from cal_recur import DAILY, LAST, MONTHLY, MONTHLY_NTH, WEEKLY, YEARLY
from ews_calendar_schema import DAYS, MONTHS
from ews_xml import attr

NTH = {1: "First", 2: "Second", 3: "Third", 4: "Fourth", LAST: "Last"}
SETS = {127: "Day", 62: "Weekday", 65: "WeekendDay"}
MARKUP = re.compile(r"<[^>]*>")


def to_text(markup):
    return html.unescape(MARKUP.sub("", re.sub(r"(?is)<(style|script|head).*?</\1>", "", markup)))


def offset_text(offset):
    if not offset:
        return "Z"
    minutes = abs(offset) // 60
    return f"{'+' if offset > 0 else '-'}{minutes // 60:02d}:{minutes % 60:02d}"


def days_text(days):
    return SETS.get(days) or " ".join(DAYS[n] for n in range(7) if days >> n & 1)


def recurrence_xml(recurrence, day_text):
    r = recurrence
    if r.regenerate:
        name = f"{r.kind.capitalize()}Regeneration"
        pattern = f"<t:{name}><t:Interval>{r.interval}</t:Interval></t:{name}>"
    else:
        pattern = pattern_xml(r)
    start = f"<t:StartDate>{day_text(r.start)}</t:StartDate>"
    if r.count is not None:
        number = f"<t:NumberOfOccurrences>{r.count}</t:NumberOfOccurrences>"
        reach = f"<t:NumberedRecurrence>{start}{number}</t:NumberedRecurrence>"
    elif r.end is not None:
        reach = f"<t:EndDateRecurrence>{start}<t:EndDate>{day_text(r.end)}</t:EndDate></t:EndDateRecurrence>"
    else:
        reach = f"<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"
    return f"<t:Recurrence>{pattern}{reach}</t:Recurrence>"


def pattern_xml(r):
    """EWS has no interval for years: a longer one is a number of months."""
    interval, days = f"<t:Interval>{r.interval}</t:Interval>", f"<t:DaysOfWeek>{days_text(r.days)}</t:DaysOfWeek>"
    months = f"<t:Interval>{r.interval * 12}</t:Interval>"
    index = f"<t:DayOfWeekIndex>{NTH.get(r.index)}</t:DayOfWeekIndex>"
    day, month = f"<t:DayOfMonth>{r.day}</t:DayOfMonth>", f"<t:Month>{MONTHS[r.month - 1]}</t:Month>"
    if r.kind == DAILY:
        return f"<t:DailyRecurrence>{interval}</t:DailyRecurrence>"
    if r.kind == WEEKLY:
        first = f"<t:FirstDayOfWeek>{DAYS[r.first_day]}</t:FirstDayOfWeek>"
        listed = " ".join(DAYS[n] for n in range(7) if r.days >> n & 1)
        return f"<t:WeeklyRecurrence>{interval}<t:DaysOfWeek>{listed}</t:DaysOfWeek>{first}</t:WeeklyRecurrence>"
    if r.kind == MONTHLY:
        return f"<t:AbsoluteMonthlyRecurrence>{interval}{day}</t:AbsoluteMonthlyRecurrence>"
    if r.kind == MONTHLY_NTH:
        return f"<t:RelativeMonthlyRecurrence>{interval}{days}{index}</t:RelativeMonthlyRecurrence>"
    if r.kind == YEARLY and r.interval == 1:
        return f"<t:AbsoluteYearlyRecurrence>{day}{month}</t:AbsoluteYearlyRecurrence>"
    if r.kind == YEARLY:
        return f"<t:AbsoluteMonthlyRecurrence>{months}{day}</t:AbsoluteMonthlyRecurrence>"
    if r.interval == 1:
        return f"<t:RelativeYearlyRecurrence>{days}{index}{month}</t:RelativeYearlyRecurrence>"
    return f"<t:RelativeMonthlyRecurrence>{months}{days}{index}</t:RelativeMonthlyRecurrence>"


def zone_xml(name, zone, full, year):
    head = f'<t:{name} Id="{attr(zone.id)}" Name="{attr(zone.name)}"'
    return f"{head}>{definition_xml(zone, year)}</t:{name}>" if full or zone.rules is not None else f"{head}/>"


def duration(minutes):
    """xs:duration of a number of minutes."""
    sign, rest = "-" if minutes < 0 else "", abs(minutes)
    hours = f"{rest // 60}H" if rest >= 60 else ""
    return f"{sign}PT{hours}{rest % 60}M" if rest % 60 else f"{sign}PT{hours or '0S'}"


def definition_xml(zone, year):
    """Periods and transitions by the rules of a year."""
    rules = cal_zones.rules_of(zone, year)
    ident = attr(f"trule:Microsoft/Registry/{zone.id}/{year}")
    periods = f'<t:Period Bias="{duration(rules.bias)}" Name="Standard" Id="{ident}-Standard"/>'
    if rules.daylight is None:
        group = f'<t:Transition><t:To Kind="Period">{ident}-Standard</t:To></t:Transition>'
    else:
        bias = rules.bias + rules.daylight_bias
        periods += f'<t:Period Bias="{duration(bias)}" Name="Daylight" Id="{ident}-Daylight"/>'
        group = transition_xml(rules.daylight, ident + "-Daylight") + transition_xml(
            rules.standard, ident + "-Standard"
        )
    return (
        f'<t:Periods>{periods}</t:Periods><t:TransitionsGroups><t:TransitionsGroup Id="0">{group}</t:TransitionsGroup>'
        '</t:TransitionsGroups><t:Transitions><t:Transition><t:To Kind="Group">0</t:To></t:Transition></t:Transitions>'
    )


def transition_xml(rule, period):
    nth = -1 if rule.nth == LAST else rule.nth
    return (
        f'<t:RecurringDayTransition><t:To Kind="Period">{period}</t:To>'
        f"<t:TimeOffset>{duration(rule.hour * 60 + rule.minute)}</t:TimeOffset><t:Month>{rule.month}</t:Month>"
        f"<t:DayOfWeek>{DAYS[rule.weekday]}</t:DayOfWeek><t:Occurrence>{nth}</t:Occurrence></t:RecurringDayTransition>"
    )
